"""Backfill: read a repository's calendar records, and apply them. Runs after sign-in, after a gap, or on an operator's
request.

Our collections are listed (``listing``), as of the commit before the first page. A record that is listed but not known
in that version is verified individually (``record_proofs``) and applied; for a record that is known but not listed, its
absence is verified. Afterwards the floor is raised to that commit, so that older messages count as history. Each host is
called within its request budget; the rest is read later, and everything applied before that is kept. A rev in the
future is refused: as a floor, it would hide everything that is written before that time.

The whole repository is fetched (``getRepo``), as of its commit's rev, only if an operator asks for it; one that is too
large is listed instead. A record that fails because of its own content is quarantined (``failure_isolation``), and all
others are applied. The floor then stays where it is, so that the record can still be applied at this rev.

If only some collections were chosen, their records and their absence are applied, but the floor stays, and a pending
full read stays pending.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Final, TypeVar

from at_network.pacing import DEFAULT_PAUSE_SECONDS
from at_protocol.repo.change import parse_path
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid, parse_nsid
from at_protocol.syntax.tid import Tid
from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Database
from groundwork.errors import Failure, InvalidInput, NotFound, RemoteFailed, RemoteSlow, TooMany, reason_of
from groundwork.http.client import ResponseTooLarge
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, enqueue
from groundwork.telemetry.logs import log
from groundwork.workers.limits import JobStopped
from openmeet.domain.identities import backfill_progress
from openmeet.network.ingestion import quarantine
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.failure_isolation import ApplyResult, apply_of_repository
from openmeet.network.ingestion.listing import Listing
from openmeet.network.ingestion.quarantine import MAX_QUARANTINED, FailedStep
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.ingestion.repository_reads import (
    RepositoryRead,
    apply_listing,
    check_rev,
    enqueue_detection,
    finish_read,
    list_repository,
    missing_records,
    release_waiting,
    served,
)
from openmeet.network.ingestion.server_budgets import SpendOnServer, unlimited
from openmeet.network.records import repository_state
from openmeet.network.records.collections import CONCERNING, READ_IN_ORDER
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.export_reader import WholeRepository
from openmeet.network.repositories.read import account_status, download_repository
from openmeet.outbox.kinds import JobKind

T = TypeVar("T")

# Concurrent repository reads. Most of the time is spent waiting for servers.
AT_A_TIME = 4
# Suffix of a job's subject after the DID: fetch the whole repository.
_WHOLE: Final = "*"


def backfill_handler(
    db: Database, network: NetworkClients, context: IngestionContext, spend_on_server: SpendOnServer = unlimited
) -> JobHandler:
    """Return the handler of ``JobKind.BACKFILL``. The subject comes from ``subject_of``."""

    async def handle(job: Job) -> None:
        text, _, collection_names = job.subject.partition(" ")
        did = parse_did(text)
        if collection_names and collection_names != _WHOLE:
            names = [parse_nsid(one) for one in collection_names.split(" ")]
            await backfill_chosen(db, network, context, did, names, spend_on_server)
            return
        try:
            if collection_names == _WHOLE:
                await backfill_whole(db, network, context, did, spend_on_server)
            else:
                await backfill(db, network, context, did, spend_on_server)
            await _expect_reached(db, network, did)
        except TooMany as busy:
            # Nothing failed: the next part is a separate job, due when the host may be called again.
            async with db.transaction() as tx:
                await backfill_progress.note_delay(tx, did, reason_of(busy))
                due_at = Instant(tx.now + round((busy.after_seconds or DEFAULT_PAUSE_SECONDS) * SECOND))
                # Not if another read has been requested meanwhile: that one is due at once.
                await enqueue(tx, JobKind.BACKFILL, job.subject, job.revision + 1, due_at=due_at)
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


async def backfill(
    db: Database,
    network: NetworkClients,
    context: IngestionContext,
    did: Did,
    spend_on_server: SpendOnServer = unlimited,
) -> int:
    """Make the stored calendar records of a DID match its repository; return how many records the repository has.

    A repository that is not served (deleted, deactivated) changes nothing, because absence must be verified. Raises
    RemoteFailed, RemoteSlow, and TooMany if the budget of its server is spent; everything applied before that is kept.
    """
    is_waited_for = await _begin(db, did)
    listing = await list_repository(network, did, CONCERNING, spend_on_server)
    if listing is None:
        await _not_served(db, did)
        return 0
    repository_read = await finish_read(
        db,
        did,
        lambda: apply_listing(db, network, context, listing, spend_on_server, is_waited_for=is_waited_for),
    )
    return repository_read.records


async def backfill_whole(
    db: Database,
    network: NetworkClients,
    context: IngestionContext,
    did: Did,
    spend_on_server: SpendOnServer = unlimited,
) -> int:
    """Like ``backfill``, but exports the whole repository. If that is too large or the server too slow, it is listed
    instead.
    """
    is_waited_for = await _begin(db, did)
    try:
        repository = await served(did, download_repository(network, did, CONCERNING))
    except (ResponseTooLarge, JobStopped, RemoteSlow) as too_large:
        log.info("repository.too_large", did=did, reason=too_large.why)
        return await backfill(db, network, context, did, spend_on_server)
    if repository is None:
        await _not_served(db, did)
        return 0
    rev = repository.commit.rev
    if rev is None:
        raise RemoteFailed(IngestionReason.NO_REV)
    check_rev(network, rev)
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
        is_waited_for = await backfill_progress.note_started(tx, did)
    await repository_state.wait_for_unlocked(db)
    return is_waited_for


async def apply_export(
    db: Database, context: IngestionContext, did: Did, rev: Tid, messages: Sequence[RecordMessage]
) -> ApplyResult:
    """Apply the records of a whole, signed repository as of its commit, and the deletion of records that it no longer
    has.
    """
    listing = Listing(did, CONCERNING, rev, {message.uri: message.cid or "" for message in messages})
    applied = await apply_of_repository(db, context, messages)

    async def apply_deletions() -> RepositoryRead:
        missing = await missing_records(db, did, rev, CONCERNING, listing.cids.keys())
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
    spend_on_server: SpendOnServer = unlimited,
) -> int:
    """Make the stored records of these collections match a DID's repository; return how many records it has in them.

    Raises the same errors as ``backfill``.
    """
    listing = await list_repository(network, did, collections, spend_on_server)
    if listing is None:
        return 0
    repository_read = await apply_listing(db, network, context, listing, spend_on_server)
    await enqueue_detection(db, did)
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


async def _not_served(db: Database, did: Did) -> None:
    async with db.transaction() as tx:
        await repository_state.note_missed(tx, [(did, None)])
        await release_waiting(tx, did)


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
