"""Compare a repository with what is known of it, apply the differences, and note that it was read.

A record that is listed but not known in that version is verified individually (``record_proofs``) and applied; for a
record that is known but not listed, its absence is verified. Everything applied before an error is kept, and the next
read does not verify it again, so that a read within the budget of a server ends after a few rounds. For the same reason,
a record that was kept raw is applied again from what is stored (it may be understood by now), and records of kinds
that are switched off are verified last, as far as the budget allows.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from at_protocol.sync import verify
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid, parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import Tid
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Failure, InvalidInput, NotFound, RemoteFailed, TooMany
from groundwork.outbox.jobs import enqueue_again
from groundwork.telemetry.logs import log
from openmeet.domain.identities import backfill_progress
from openmeet.domain.identities import queries as identity_queries
from openmeet.network.ingestion import quarantine
from openmeet.network.ingestion.batch import refused_among
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.failure_isolation import BATCH, ApplyResult, apply_of_repository
from openmeet.network.ingestion.listing import Listing, list_records
from openmeet.network.ingestion.quarantine import MAX_QUARANTINED, FailedStep, RecordFailure
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.ingestion.record_proofs import fetch_verified_each
from openmeet.network.ingestion.server_budgets import SpendOnServer
from openmeet.network.records import repository_state, seen, seen_rsvps
from openmeet.network.records.collections import CONCERNING
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.seen import RecordState, SeenRecord, VerifiedVersion
from openmeet.network.repositories.clients import NetworkClients
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, make_due_after_account_read

T = TypeVar("T")

# Older messages may arrive while a listing is compared, so it is compared again up to this many times.
MAX_COMPARISONS = 5


@dataclass(frozen=True, slots=True)
class RepositoryRead:
    """The result of reading a repository. ``records``: how many records of these collections it has. ``applied``: what
    happened to the new ones. ``unlisted``: how many known records were not listed; their absence is verified.

    ``listing``: what it was compared with. ``verified_uris``: records that were verified individually, taken from a
    signed export, or of kinds that are switched off.
    """

    rev: Tid
    records: int
    applied: ApplyResult
    unlisted: int
    listing: Listing
    verified_uris: frozenset[str]


async def list_repository(
    network: NetworkClients, did: Did, collections: Collection[Nsid], spend_on_server: SpendOnServer
) -> Listing | None:
    """List what a repository has in these collections; None if it is not served.

    Raises the same errors as ``list_records``, and RemoteFailed if the rev is too far in the future.
    """
    listing = await served(did, list_records(network, did, collections, spend_on_server))
    if listing is not None:
        check_rev(network, listing.rev)
    return listing


async def apply_listing(
    db: Database,
    network: NetworkClients,
    context: IngestionContext,
    listing: Listing,
    spend_on_server: SpendOnServer,
    *,
    is_waited_for: bool = False,
) -> RepositoryRead:
    """Verify and apply, in batches, the records that are listed but unknown and the absence of those that are known but
    not listed.

    Raises the error that ended it early; everything applied before that is kept.
    """
    did = listing.did
    async with db.reader() as reader:
        verified = await seen.verified(reader, did, sorted(listing.collections))
        unverified = {uri: cid for uri, cid in listing.cids.items() if uri not in verified or verified[uri].cid != cid}
        refused = await refused_among(reader, context, unverified)
    raw = _to_apply_again({uri: verified[uri] for uri in listing.cids if uri not in unverified}, listing.rev)
    missing = await missing_records(db, did, listing.rev, listing.collections, listing.cids.keys())
    if is_waited_for:
        async with db.transaction() as tx:
            await backfill_progress.set_total(tx, did, len(listing.cids))
            await backfill_progress.add_applied(tx, did, len(listing.cids) - len(unverified) - len(raw))
    application = _ListingApplication(db, network, context, listing, spend_on_server)
    ended_by = await application.verify([*(uri for uri in unverified if uri not in refused), *missing])
    if ended_by is not None:
        raise ended_by
    ended_by = await application.verify([uri for uri in unverified if uri in refused])
    if isinstance(ended_by, TooMany):
        application.is_complete = False
    elif ended_by is not None:
        raise ended_by
    await application.apply_again(raw)
    applied = ApplyResult(application.is_complete, application.failed)
    return RepositoryRead(
        listing.rev, len(listing.cids), applied, len(missing), listing, frozenset([*unverified, *missing])
    )


def _to_apply_again(unchanged: Mapping[str, VerifiedVersion], rev: Tid) -> list[str]:
    """Return which of these records, as of ``rev``, were kept raw and may be understood by now.

    Of the RSVPs to one event that were set aside, only as many as may count are applied, the greatest first: each takes
    several statements of its own, and its author may have written any number of them.
    """
    raw = [uri for uri, version in unchanged.items() if version.state is RecordState.RAW and version.rev < rev]
    set_aside_by_event: dict[object, list[str]] = {}
    for uri in raw:
        reason = unchanged[uri].reason
        if reason is not None and reason.code == RecordReason.TOO_MANY_RSVPS:
            set_aside_by_event.setdefault(reason.params.get("event"), []).append(uri)
    left_out: set[str] = set()
    for uris in set_aside_by_event.values():
        uris.sort(key=lambda uri: (unchanged[uri].precedence, uri), reverse=True)
        left_out.update(uris[seen_rsvps.MAX_RSVPS_TO_EVENT :])
    return [uri for uri in raw if uri not in left_out]


@dataclass(slots=True)
class _ListingApplication:
    """The application of one listing, and its result so far."""

    db: Database
    network: NetworkClients
    context: IngestionContext
    listing: Listing
    spend_on_server: SpendOnServer
    is_complete: bool = True
    failed: list[RecordFailure] = field(default_factory=list)

    async def verify(self, uris: Sequence[str]) -> Failure | None:
        """Verify and apply records; return the failure that ended it early, if any."""
        for start in range(0, len(uris), BATCH):
            batch = uris[start : start + BATCH]
            proofs = await fetch_verified_each(self.network, batch, self.spend_on_server, self.listing.records)
            await self._apply(proofs.messages, [replace(one, rev=self.listing.rev) for one in proofs.failed])
            if proofs.ended_by is not None:
                return proofs.ended_by
        return None

    async def apply_again(self, uris: Sequence[str]) -> None:
        """Apply records that were kept raw again, as of the listing."""
        for start in range(0, len(uris), BATCH):
            batch = uris[start : start + BATCH]
            async with self.db.reader() as reader:
                seen_records = await seen.find_many(reader, batch)
            unchanged = [
                seen_records[uri]
                for uri in batch
                if uri in seen_records and seen_records[uri].cid == self.listing.cids[uri]
            ]
            await self._apply([_as_of(one, self.listing.rev) for one in unchanged])

    async def _apply(self, messages: Sequence[RecordMessage], unproven: Sequence[RecordFailure] = ()) -> None:
        most = MAX_QUARANTINED - len(self.failed)
        result = await apply_of_repository(self.db, self.context, messages, max_failures=most)
        self.failed += [*unproven, *result.failed]
        self.is_complete = self.is_complete and result.is_complete
        if len(self.failed) > MAX_QUARANTINED:
            raise self.failed[-1].failure


def _as_of(seen_record: SeenRecord, rev: Tid) -> RecordMessage:
    """Return the message of a read at ``rev`` that finds a record unchanged."""
    return RecordMessage(
        did=parse_did(seen_record.did),
        collection=parse_nsid(seen_record.collection),
        rkey=parse_record_key(seen_record.rkey),
        rev=rev,
        operation=RecordOperation.UPDATE,
        cid=seen_record.cid,
        body=seen_record.body,
        is_verified=True,
        is_read=True,
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
            await enqueue_detection(db, did)
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
        await release_waiting(tx, did)
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
    verified = await seen.verified(reader, did, sorted(CONCERNING))
    otherwise = [
        uri
        for uri, cid in listing.cids.items()
        if uri not in verified_uris and (uri not in verified or verified[uri].cid != cid)
    ]
    rows = await seen.find_many(reader, otherwise)
    if any(uri not in rows or rows[uri].rev <= listing.rev for uri in otherwise):
        return True
    expected = await seen.not_newer_than(reader, did, listing.rev, sorted(CONCERNING))
    return any(uri not in listing.cids and uri not in verified_uris for uri, _, _ in expected)


async def missing_records(
    db: Database, did: Did, rev: Tid, collections: Collection[Nsid], listed_uris: Collection[str]
) -> list[str]:
    """Return the known records that a complete read at ``rev`` must contain but does not."""
    async with db.reader() as reader:
        expected = await seen.not_newer_than(reader, did, rev, sorted(collections))
    return [uri for uri, _, _ in expected if uri not in listed_uris]


async def release_waiting(tx: Transaction, did: Did) -> None:
    """Make the owner's waiting RSVPs due: the repository that they waited for has been read."""
    await backfill_progress.note_complete(tx, did)
    owner = await identity_queries.find(tx, did)
    if owner is not None and owner.can_write:
        await make_due_after_account_read(tx, owner.user_id, PublicationKind.RSVP)


async def enqueue_detection(db: Database, did: Did) -> None:
    """Enqueue series detection for the author's events."""
    async with db.transaction() as tx:
        author = await identity_queries.find(tx, did)
        if author is not None and author.can_write:
            # Detection after a single event waits for more events; after a full read there will be no more.
            await enqueue_again(tx, JobKind.DETECT_SERIES, [author.user_id])


async def served(did: Did, reading: Awaitable[T]) -> T | None:
    """Return the result, or None if the repository is currently not served."""
    try:
        return await reading
    except (NotFound, InvalidInput) as absent:
        if isinstance(absent, InvalidInput) and absent.name != "UnresolvableDid":
            raise
        log.warning("repository.not_served", did=did, reason=absent.why)
        return None


def check_rev(network: NetworkClients, rev: Tid) -> None:
    try:
        verify.check_rev(rev, network.clock.now())
    except verify.MessageRejected as ahead:
        raise RemoteFailed(IngestionReason.CLOCK_AHEAD) from ahead
