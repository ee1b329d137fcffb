"""Backfill: read a repository's calendar records, and apply them. Runs after sign-in, after a gap, or on an operator's
request.

Our collections are listed (``listing``), as of the commit before the first page. A record that is listed but not known
in that version is verified individually (``record_proofs``) and applied; for a record that is known but not listed, its
absence is verified. Afterwards the floor is raised to that commit, so that older messages count as history. Each host is
called within its request budget; the rest is read later, and everything applied before that is kept. A rev in the
future is refused: as a floor, it would hide everything that is written before that time.

The whole repository is fetched (``getRepo``), as of its commit's rev, only if an operator asks for it; one that is too
large is listed instead. A record that fails because of its own content is quarantined (``apply_read``), and all others
are applied. The floor then stays where it is, so that the record can still be applied at this rev.

If only some collections were chosen, their records and their absence are applied, but the floor stays, and a pending
full read stays pending.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from at_network.pacing import DEFAULT_PAUSE_SECONDS
from at_protocol.repo.change import parse_path
from at_protocol.sync import verify
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid, parse_nsid
from at_protocol.syntax.tid import Tid
from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Failure, InvalidInput, NotFound, RemoteFailed, RemoteSlow, TooMany, reason_of
from groundwork.http.client import ResponseTooLarge
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, enqueue
from groundwork.telemetry.logs import log
from groundwork.workers.limits import JobStopped
from openmeet.domain.identities import backfill_progress
from openmeet.domain.identities import queries as identity_queries
from openmeet.network.ingestion import quarantine
from openmeet.network.ingestion.apply_read import BATCH, ApplyResult, apply_of_repository
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.host_budgets import SpendOnHost, unlimited
from openmeet.network.ingestion.listing import Listing, list_records
from openmeet.network.ingestion.quarantine import MAX_QUARANTINED, FailedStep, RecordFailure
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.ingestion.record_proofs import fetch_verified_each
from openmeet.network.records import repository_state, seen
from openmeet.network.records.collections import CONCERNING, READ_IN_ORDER
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.export_reader import WholeRepository
from openmeet.network.repositories.read import account_status, download_repository
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, wake_waiting_of

T = TypeVar("T")

# Concurrent repository reads. Most of the time is spent waiting for servers.
AT_A_TIME = 4
# Older messages may arrive while a listing is compared, so it is compared again up to this many times.
MAX_COMPARISONS = 5
# Suffix of a job's subject after the DID: fetch the whole repository.
_WHOLE: Final = "*"


def backfill_handler(
    db: Database, network: NetworkClients, context: IngestionContext, spend_on_host: SpendOnHost = unlimited
) -> JobHandler:
    """Return the handler of ``JobKind.BACKFILL``. The subject comes from ``subject_of``."""

    async def handle(job: Job) -> None:
        text, _, collection_names = job.subject.partition(" ")
        did = parse_did(text)
        if collection_names and collection_names != _WHOLE:
            names = [parse_nsid(one) for one in collection_names.split(" ")]
            await backfill_chosen(db, network, context, did, names, spend_on_host)
            return
        try:
            if collection_names == _WHOLE:
                await backfill_whole(db, network, context, did, spend_on_host)
            else:
                await backfill(db, network, context, did, spend_on_host)
            await _expect_reached(db, network, did)
        except TooMany as busy:
            # Nothing failed: the next part is a separate job, due when the host may be called again.
            async with db.transaction() as tx:
                await backfill_progress.note_delay(tx, did, reason_of(busy))
                due_at = Instant(tx.now + round((busy.after_seconds or DEFAULT_PAUSE_SECONDS) * SECOND))
                await enqueue(tx, JobKind.BACKFILL, job.subject, max(int(tx.now), job.revision + 1), due_at=due_at)
        except Failure as away:
            async with db.transaction() as tx:
                await backfill_progress.note_delay(tx, did, reason_of(away))
            raise

    return handle


def subject_of(did: Did, collections: Collection[Nsid] = (), *, is_whole: bool = False) -> str:
    """Encode the subject of a backfill job: a DID, and which of our collections to read (none means all).

    ``is_whole``: fetch the whole repository instead.
    """
    if is_whole:
        return f"{did} {_WHOLE}"
    return " ".join([did, *(one for one in READ_IN_ORDER if one in collections)])


def chosen_collections(names: Sequence[str]) -> tuple[Nsid, ...]:
    """Return collections by name, in the order of reading; an empty result for no names. Raises InvalidInput for a
    collection that is not read here.
    """
    collections = {str(one): one for one in READ_IN_ORDER}
    for name in names:
        if name not in collections:
            raise InvalidInput(
                "collection",
                IngestionReason.COLLECTION_NOT_READ(collection=name, collections=", ".join(READ_IN_ORDER)),
            )
    return tuple(one for one in READ_IN_ORDER if one in names)


@dataclass(frozen=True, slots=True)
class RepositoryRead:
    """The result of reading a repository. ``records``: how many records of these collections it has. ``applied``: what
    happened to the new ones. ``unlisted``: how many known records were not listed; their absence is verified.

    ``listing``: what it was compared with. ``verified_uris``: records that were verified individually, or taken
    from a signed export.
    """

    rev: Tid
    records: int
    applied: ApplyResult
    unlisted: int
    listing: Listing
    verified_uris: frozenset[str]


async def backfill(
    db: Database, network: NetworkClients, context: IngestionContext, did: Did, spend_on_host: SpendOnHost = unlimited
) -> int:
    """Make the stored calendar records of a DID match its repository; return how many records the repository has.

    A repository that is not served (deleted, deactivated) changes nothing, because absence must be verified. Raises
    RemoteFailed, RemoteSlow, and TooMany if the budget of its host is spent; everything applied before that is kept.
    """
    is_waited_for = await _begin(db, did)
    listing = await list_repository(network, did, CONCERNING, spend_on_host)
    if listing is None:
        await _not_served(db, did)
        return 0
    repository_read = await finish_read(
        db,
        did,
        lambda: apply_listing(db, network, context, listing, spend_on_host, is_waited_for=is_waited_for),
    )
    return repository_read.records


async def backfill_whole(
    db: Database, network: NetworkClients, context: IngestionContext, did: Did, spend_on_host: SpendOnHost = unlimited
) -> int:
    """Like ``backfill``, but exports the whole repository. If that is too large or the server too slow, it is listed
    instead.
    """
    is_waited_for = await _begin(db, did)
    try:
        repository = await _served(did, download_repository(network, did, CONCERNING))
    except (ResponseTooLarge, JobStopped, RemoteSlow) as too_large:
        log.info("repository.too_large", did=did, reason=too_large.why)
        return await backfill(db, network, context, did, spend_on_host)
    if repository is None:
        await _not_served(db, did)
        return 0
    rev = repository.commit.rev
    if rev is None:
        raise RemoteFailed(IngestionReason.NO_REV)
    _check_rev(network, rev)
    messages = list(messages_of(repository, rev))
    if is_waited_for:
        async with db.transaction() as tx:
            await backfill_progress.set_total(tx, did, len(messages))
    await apply_export(db, context, did, rev, messages)
    return len(messages)


async def _begin(db: Database, did: Did) -> bool:
    """Begin a read of the repository; return whether a person is waiting for it."""
    async with db.transaction() as tx:
        await repository_state.create_row(tx, did)
        return await backfill_progress.note_started(tx, did)


async def apply_export(
    db: Database, context: IngestionContext, did: Did, rev: Tid, messages: Sequence[RecordMessage]
) -> ApplyResult:
    """Apply the records of a whole, signed repository as of its commit, and the deletion of records that it no longer
    has.
    """
    listing = Listing(did, CONCERNING, rev, {message.uri: message.cid or "" for message in messages})
    applied = await apply_of_repository(db, context, messages)

    async def apply_deletions() -> RepositoryRead:
        missing = await _missing_records(db, did, rev, CONCERNING, listing.cids.keys())
        deletions_result = await apply_of_repository(
            db, context, [_deleted(uri, rev) for uri in missing], max_failures=MAX_QUARANTINED - len(applied.failed)
        )
        result = ApplyResult(applied.is_complete, [*applied.failed, *deletions_result.failed])
        # Older messages cannot change what was applied at this rev.
        read_uris = frozenset([*listing.cids, *missing])
        return RepositoryRead(rev, len(messages), result, len(missing), listing, read_uris)

    return (await finish_read(db, did, apply_deletions)).applied


async def backfill_chosen(
    db: Database,
    network: NetworkClients,
    context: IngestionContext,
    did: Did,
    collections: Collection[Nsid],
    spend_on_host: SpendOnHost = unlimited,
) -> int:
    """Make the stored records of these collections match a DID's repository; return how many records it has in them.

    Raises the same errors as ``backfill``.
    """
    listing = await list_repository(network, did, collections, spend_on_host)
    if listing is None:
        return 0
    repository_read = await apply_listing(db, network, context, listing, spend_on_host)
    await _enqueue_detection(db, did)
    async with db.transaction() as tx:
        await quarantine.store_result(tx, did, FailedStep.APPLY, collections, repository_read.applied.failed)
    log.info(
        "repository.read_in_part",
        did=did,
        rev=repository_read.rev,
        records=repository_read.records,
        quarantine=len(repository_read.applied.failed),
    )
    return repository_read.records


async def list_repository(
    network: NetworkClients, did: Did, collections: Collection[Nsid], spend_on_host: SpendOnHost
) -> Listing | None:
    """List what a repository has in these collections; None if it is not served.

    Raises the same errors as ``list_records``, and RemoteFailed if the rev is too far in the future.
    """
    listing = await _served(did, list_records(network, did, collections, spend_on_host))
    if listing is not None:
        _check_rev(network, listing.rev)
    return listing


async def apply_listing(
    db: Database,
    network: NetworkClients,
    context: IngestionContext,
    listing: Listing,
    spend_on_host: SpendOnHost,
    *,
    is_waited_for: bool = False,
) -> RepositoryRead:
    """Verify and apply, in batches, the records that are listed but unknown and the absence of those that are known but
    not listed.

    Raises the error that ended it early; everything applied before that is kept.
    """
    did = listing.did
    async with db.reader() as reader:
        understood = await seen.understood(reader, did, sorted(listing.collections))
    unknown = [uri for uri, cid in listing.cids.items() if understood.get(uri) != cid]
    missing = await _missing_records(db, did, listing.rev, listing.collections, listing.cids.keys())
    if is_waited_for:
        async with db.transaction() as tx:
            await backfill_progress.set_total(tx, did, len(listing.cids))
            await backfill_progress.add_applied(tx, did, len(listing.cids) - len(unknown))
    is_complete, failed = True, list[RecordFailure]()
    uris = [*unknown, *missing]
    for start in range(0, len(uris), BATCH):
        proofs = await fetch_verified_each(network, uris[start : start + BATCH], spend_on_host, listing.records)
        result = await apply_of_repository(db, context, proofs.messages, max_failures=MAX_QUARANTINED - len(failed))
        failed += [*(replace(one, rev=listing.rev) for one in proofs.failed), *result.failed]
        is_complete = is_complete and result.is_complete
        if proofs.ended_by is not None:
            raise proofs.ended_by
        if len(failed) > MAX_QUARANTINED:
            raise failed[-1].failure
    return RepositoryRead(
        listing.rev, len(listing.cids), ApplyResult(is_complete, failed), len(missing), listing, frozenset(uris)
    )


async def finish_read(
    db: Database, did: Did, compare_and_apply: Callable[[], Awaitable[RepositoryRead]]
) -> RepositoryRead:
    """Compare and apply a repository, and note that all of our collections were read: gaps are closed, and older messages
    count as history.

    If an older message has meanwhile changed a record that was found unchanged, it is compared again. Otherwise the
    floor would be above that message, corrections to it would be ignored as history, and the older version would stay
    permanently. Raises RemoteFailed if older messages interfere each time, and the errors of ``compare_and_apply``.
    """
    for _ in range(MAX_COMPARISONS):
        repository_read = await compare_and_apply()
        if await _mark_read(db, did, repository_read):
            await _enqueue_detection(db, did)
            return repository_read
    raise RemoteFailed(IngestionReason.OUTDATED)


async def _mark_read(db: Database, did: Did, repository_read: RepositoryRead) -> bool:
    """Note a read, unless it is outdated; then nothing is stored, and the result is False. Waits for a message that is
    being applied at this moment.
    """
    async with db.transaction() as tx:
        await repository_state.lock_floor(tx, did)
        if await _is_outdated(tx, did, repository_read.listing, repository_read.verified_uris):
            return False
        await quarantine.store_result(tx, did, FailedStep.APPLY, CONCERNING, repository_read.applied.failed)
        if repository_read.applied.is_complete and not repository_read.applied.failed:
            await repository_state.raise_floor(tx, did, repository_read.rev)
        else:
            # Records that were not applied will be read again at this same rev.
            await repository_state.note_read(tx, did)
        await repository_state.note_read_up_to(tx, did, repository_read.rev)
        await _release_waiting(tx, did)
    log.info(
        "repository.read",
        did=did,
        rev=repository_read.rev,
        records=repository_read.records,
        unlisted=repository_read.unlisted,
        quarantine=len(repository_read.applied.failed),
    )
    return True


async def _is_outdated(reader: Reader, did: Did, listing: Listing, verified_uris: Collection[str]) -> bool:
    """Whether a record that this read did not prove now differs from the listing."""
    understood = await seen.understood(reader, did, sorted(CONCERNING))
    otherwise = [uri for uri, cid in listing.cids.items() if understood.get(uri) != cid and uri not in verified_uris]
    rows = await seen.find_many(reader, otherwise)
    if any(uri not in rows or rows[uri].rev <= listing.rev for uri in otherwise):
        return True
    expected = await seen.not_newer_than(reader, did, listing.rev, sorted(CONCERNING))
    return any(uri not in listing.cids and uri not in verified_uris for uri, _, _ in expected)


async def _not_served(db: Database, did: Did) -> None:
    async with db.transaction() as tx:
        await repository_state.note_missed(tx, [(did, None)])
        await _release_waiting(tx, did)


async def _expect_reached(db: Database, network: NetworkClients, did: Did) -> None:
    """Raise RemoteFailed if the read returned an older state than is known to exist, or if an active account was not
    found.

    An inactive account keeps its mark and is read when its server reports it active again (``identity_refresh``). The
    mark is set before the server is queried. If the account becomes active in between, either this check or the refresh
    notices it.
    """
    async with db.reader() as reader:
        if not await repository_state.is_behind(reader, did):
            return
    # The response may have come from the account's previous server.
    network.dids.recheck(did)
    if await _is_active(network, did):
        raise RemoteFailed(IngestionReason.NOT_SERVED_COMPLETELY)


async def _is_active(network: NetworkClients, did: Did) -> bool:
    try:
        document = await network.dids.resolve(did)
    except (NotFound, InvalidInput):
        return False
    return document.pds is not None and (await account_status(network, did, document.pds)).is_active


async def _release_waiting(tx: Transaction, did: Did) -> None:
    """Make the owner's waiting RSVPs due: the repository that they waited for has been read."""
    await backfill_progress.note_complete(tx, did)
    owner = await identity_queries.find(tx, did)
    if owner is not None and owner.can_write:
        await wake_waiting_of(tx, owner.user_id, PublicationKind.RSVP)


async def _enqueue_detection(db: Database, did: Did) -> None:
    """Enqueue series detection for the author's events."""
    async with db.transaction() as tx:
        author = await identity_queries.find(tx, did)
        if author is not None and author.can_write:
            # Detection after a single event waits for more events; after a full read there will be no more.
            await enqueue(tx, JobKind.DETECT_SERIES, author.user_id, int(tx.now) + 1)


async def _missing_records(
    db: Database, did: Did, rev: Tid, collections: Collection[Nsid], listed_uris: Collection[str]
) -> list[str]:
    """Return the known records that a complete read at ``rev`` must contain but does not."""
    async with db.reader() as reader:
        expected = await seen.not_newer_than(reader, did, rev, sorted(collections))
    return [uri for uri, _, _ in expected if uri not in listed_uris]


def _deleted(uri: str, rev: Tid) -> RecordMessage:
    """Build the deletion of a record that a whole, signed repository does not contain."""
    parts = parse_at_uri(uri)
    if parts.collection is None or parts.rkey is None:
        raise ValueError(f"{uri} is not the uri of one record")
    return RecordMessage(
        did=parse_did(parts.authority),
        collection=parts.collection,
        rkey=parts.rkey,
        rev=rev,
        operation=RecordOperation.DELETE,
        cid=None,
        body=None,
        is_verified=True,
        is_read=True,
    )


async def _served(did: Did, reading: Awaitable[T]) -> T | None:
    """Return the result, or None if the repository is currently not served."""
    try:
        return await reading
    except (NotFound, InvalidInput) as absent:
        if isinstance(absent, InvalidInput) and absent.name != "UnresolvableDid":
            raise
        log.warning("repository.not_served", did=did, reason=absent.why)
        return None


def _check_rev(network: NetworkClients, rev: Tid) -> None:
    try:
        verify.check_rev(rev, network.clock.now())
    except verify.MessageRejected as ahead:
        raise RemoteFailed(IngestionReason.CLOCK_AHEAD) from ahead


def messages_of(repository: WholeRepository, rev: Tid) -> Iterator[RecordMessage]:
    """Yield the records of a repository as messages of its commit, events before the RSVPs to them."""
    by_collection: dict[str, list[RecordMessage]] = {}
    for path, cid, body in repository.records:
        collection, rkey = parse_path(path)
        by_collection.setdefault(collection, []).append(
            RecordMessage(
                did=repository.commit.did,
                collection=collection,
                rkey=rkey,
                rev=rev,
                operation=RecordOperation.UPDATE,
                cid=str(cid),
                body=body,
                is_verified=True,
                is_read=True,
            )
        )
    for collection in READ_IN_ORDER:
        yield from by_collection.get(collection, ())
