"""Reconcile a repository with everything stored about it: records, publications, and the rows derived from them.

Our collections are listed, and each compared record is read again with its proof. The repository is authoritative:
unknown records in it are applied, known records whose absence is verified are deleted, and a publication whose record
is gone is marked as deleted elsewhere. Each published or imported row is compared with its record field by field
(``row_consistency``). Events, RSVPs, series, groups and membership statements that lack their understood record, or
differ from it, are derived again. Discrepancies are counted (``discrepancies``), whether or not they are repaired. A
record that fails because of its own content is quarantined (``quarantine``), and the other records are repaired.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from at_network.pacing import DEFAULT_PAUSE_SECONDS
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from groundwork.database.expressions import ENGINES, authority_of
from groundwork.database.transaction import Database, Engine, Reader
from groundwork.errors import Failure, TooMany
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from groundwork.telemetry.logs import log
from openmeet.network.ingestion import discrepancies, quarantine
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.discrepancies import (
    Discrepancy,
    PublishedVersion,
    RecordDiscrepancy,
    RepositoryContents,
    RepositoryFacts,
    SeenVersion,
    compare,
    in_order,
)
from openmeet.network.ingestion.failure_isolation import BATCH, ApplyResult, apply_fetched, apply_of_repository
from openmeet.network.ingestion.listing import Listing
from openmeet.network.ingestion.quarantine import FailedStep, RecordFailure
from openmeet.network.ingestion.record_proofs import fetch_verified, fetch_verified_each
from openmeet.network.ingestion.repository_reads import RepositoryRead, apply_listing, finish_read, list_repository
from openmeet.network.ingestion.row_consistency import derive_rows_again, detach_record, differing, mark_not_published
from openmeet.network.ingestion.server_budgets import SpendOnServer, unlimited
from openmeet.network.records import seen
from openmeet.network.records.collections import (
    CONCERNING,
    EVENTS,
    GROUP_COLLECTIONS,
    GROUP_STATEMENTS,
    RSVPS,
    SERIES_COLLECTIONS,
)
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.seen import RecordState
from openmeet.network.repositories.clients import NetworkClients

T = TypeVar("T")

KEPT = "select uri, cid, rev, state from records where did = :did"

PUBLISHED = """
    select uri, base_cid, base_rev from publications where did = :did and state = 'published' and uri is not null
"""

ROWLESS = """
    select r.uri from records r left join events e on e.record_uri = r.uri
     where r.did = :did and r.state = 'mapped' and r.collection in :events and e.id is null
       and not exists (select 1 from superseded_records f where f.uri = r.uri)
    union all
    select r.uri from records r
      join events e on e.record_uri = r.subject_uri
      join identities i on i.did = r.did
      left join attendances a on a.event_id = e.id and a.user_id = i.user_id
     where r.did = :did and r.state = 'mapped' and r.collection in :rsvps and a.id is null
    union all
    select r.uri from records r left join event_series s on s.record_uri = r.uri
     where r.did = :did and r.state = 'mapped' and r.collection in :series and s.id is null
       and not exists (select 1 from superseded_records f where f.uri = r.uri)
    union all
    select r.uri from records r left join groups g on g.external_id = r.uri
        left join superseded_group_records f on f.uri = r.uri
     where r.did = :did and r.state = 'mapped' and r.collection in :groups and g.id is null and f.uri is null
    union all
    select r.uri from records r left join group_statements s on s.uri = r.uri
     where r.did = :did and r.state = 'mapped' and r.collection in :statements and s.uri is null
"""

# RSVPs are in their authors' repositories.
RECORDLESS: Mapping[Engine, str] = {
    engine: f"""
    select e.record_uri as uri from events e left join records r on r.uri = e.record_uri and r.state <> 'tombstone'
     where e.record_did = :did and e.record_uri is not null and e.removed_at is null and e.deleted_at is null
       and e.record_deleted_at is null
       and r.uri is null
    union
    select a.record_uri from identities i join attendances a on a.user_id = i.user_id
      left join records r on r.uri = a.record_uri and r.state <> 'tombstone'
     where i.did = :did and {authority_of(engine, "a.record_uri")} = :did and r.uri is null
    union
    select s.record_uri from event_series s left join records r on r.uri = s.record_uri and r.state <> 'tombstone'
     where s.record_uri is not null and {authority_of(engine, "s.record_uri")} = :did and s.deleted_at is null
         and r.uri is null
    union
    select g.external_id from groups g left join records r on r.uri = g.external_id and r.state <> 'tombstone'
     where g.external_id is not null and {authority_of(engine, "g.external_id")} = :did and g.deleted_at is null
         and r.uri is null
    union
    select m.external_id from group_members m left join records r on r.uri = m.external_id and r.state <> 'tombstone'
     where m.external_id is not null and {authority_of(engine, "m.external_id")} = :did and r.uri is null
    union
    select s.uri from group_statements s left join records r on r.uri = s.uri and r.state <> 'tombstone'
     where s.did = :did and r.uri is null
"""
    for engine in ENGINES
}


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """The result for one repository. ``records`` is None if it is not served; then nothing was compared.

    ``failed``: quarantined records, which are also included in ``unrepaired``.
    """

    did: Did
    records: int | None
    repaired: Sequence[RecordDiscrepancy]
    unrepaired: Sequence[RecordDiscrepancy]
    failed: Sequence[RecordFailure] = ()

    @property
    def agrees(self) -> bool:
        """Whether the repository was compared and had no discrepancies."""
        return self.records is not None and not (self.repaired or self.unrepaired or self.failed)


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """How repositories are queried. ``verifies_each``: verify every record, not only those that seem to have changed.

    ``pause`` waits for a number of seconds if the budget of a server is spent; if None, TooMany is raised instead.
    ``progress`` is called with the number of verified records and the total.
    """

    spend_on_server: SpendOnServer = unlimited
    verifies_each: bool = False
    pause: Callable[[float], Awaitable[object]] | None = None
    progress: Callable[[int, int], object] = lambda _done, _all: None


def reconcile_handler(
    db: Database, network: NetworkClients, context: IngestionContext, spend_on_server: SpendOnServer = unlimited
) -> JobHandler:
    """Return the handler of ``JobKind.RECONCILE``, which compares one repository with what is stored. The subject of a
    job is the DID.
    """

    async def handle(job: Job) -> None:
        await reconcile(db, network, context, parse_did(job.subject), options=ReconcileOptions(spend_on_server))

    return handle


async def reconcile(
    db: Database,
    network: NetworkClients,
    context: IngestionContext,
    did: Did,
    *,
    is_dry_run: bool = False,
    options: ReconcileOptions = ReconcileOptions(),
) -> ReconcileResult:
    """Compare, repair and count. A dry run changes and counts nothing; all its discrepancies remain open.

    Raises RemoteFailed, RemoteSlow, and TooMany if the budget of the server is spent.
    """
    listing = await _waiting_for_budget(
        options, lambda: list_repository(network, did, CONCERNING, options.spend_on_server)
    )
    if listing is None:
        return ReconcileResult(did, None, (), ())
    proofs = await _verified_records(db, network, did, listing, options) if options.verifies_each else []
    contents = _contents(listing, proofs)
    differences = await _compare(db, context, did, contents)
    if is_dry_run:
        return ReconcileResult(did, len(contents.cids), (), differences)
    is_first = await _is_first(db, did)
    applied_proofs = await apply_of_repository(db, context, proofs)

    async def compare_and_apply() -> RepositoryRead:
        repository_read = await _waiting_for_budget(
            options, lambda: apply_listing(db, network, context, listing, options.spend_on_server)
        )
        applied = ApplyResult(
            applied_proofs.is_complete and repository_read.applied.is_complete,
            [*applied_proofs.failed, *repository_read.applied.failed],
        )
        return replace(repository_read, applied=applied)

    applied = (await finish_read(db, did, compare_and_apply)).applied
    quarantined = {one.uri for one in applied.failed}
    failed_repairs = await _repair(
        db, network, context, did, [one for one in differences if one.uri not in quarantined], options
    )
    remaining = {(one.uri, one.kind) for one in await _compare(db, context, did, contents)}
    counted = [] if is_first or not applied.is_complete else await _worth_counting(db, differences)
    repaired = [one for one in counted if (one.uri, one.kind) not in remaining]
    unrepaired = [one for one in counted if (one.uri, one.kind) in remaining]
    async with db.transaction() as tx:
        await discrepancies.note(tx, did, repaired, unrepaired)
        await quarantine.store_result(tx, did, FailedStep.REPAIR, CONCERNING, failed_repairs)
    for one in counted:
        log.warning(
            "discrepancy.found", uri=one.uri, kind=one.kind.value, fields=one.fields, is_repaired=one in repaired
        )
    return ReconcileResult(did, len(contents.cids), repaired, unrepaired, [*applied.failed, *failed_repairs])


def _contents(listing: Listing, proofs: Sequence[RecordMessage]) -> RepositoryContents:
    """Return what a repository contains according to the listing, corrected by newer proofs."""
    cids = dict(listing.cids)
    for message in proofs:
        if message.cid is None:
            cids.pop(message.uri, None)
        else:
            cids[message.uri] = message.cid
    return RepositoryContents(cids, listing.rev, {message.uri: message.rev for message in proofs})


async def _compare(
    db: Database, context: IngestionContext, did: Did, contents: RepositoryContents
) -> list[RecordDiscrepancy]:
    """Return the discrepancies, in URI order, without changing anything."""
    facts = await _facts(db, did)
    discrepancies = compare(contents, facts)
    disagreeing = {one.uri for one in discrepancies}
    mapped = sorted(
        uri for uri, one in facts.kept.items() if one.state is RecordState.MAPPED and one.rev <= contents.rev_of(uri)
    )
    uris = [uri for uri in mapped if uri in contents.cids and uri not in disagreeing]
    return in_order([*discrepancies, *await differing(db, context, did, uris, is_dry_run=True)])


async def _verified_records(
    db: Database, network: NetworkClients, did: Did, listing: Listing, options: ReconcileOptions
) -> list[RecordMessage]:
    """Return every record that is listed or should be listed, verified. Those that cannot be verified are left out."""
    async with db.reader() as reader:
        expected = await seen.not_newer_than(reader, did, listing.rev, sorted(CONCERNING))
    uris = [*listing.cids, *(uri for uri, _, _ in expected if uri not in listing.cids)]
    messages: list[RecordMessage] = []
    for start in range(0, len(uris), BATCH):
        remaining_uris = uris[start : start + BATCH]
        while remaining_uris:
            proofs = await fetch_verified_each(network, remaining_uris, options.spend_on_server, listing.records)
            messages += proofs.messages
            processed_uris = {one.uri for one in proofs.messages} | {one.uri for one in proofs.failed}
            remaining_uris = [uri for uri in remaining_uris if uri not in processed_uris]
            options.progress(min(len(uris), start + BATCH) - len(remaining_uris), len(uris))
            await _wait_or_raise(options, proofs.ended_by)
    return messages


async def _waiting_for_budget(options: ReconcileOptions, work: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await work()
        except TooMany as busy:
            await _wait_or_raise(options, busy)


async def _wait_or_raise(options: ReconcileOptions, failure: Failure | None) -> None:
    if failure is None:
        return
    if not isinstance(failure, TooMany) or options.pause is None:
        raise failure
    await options.pause(failure.after_seconds or DEFAULT_PAUSE_SECONDS)


async def written_to(reader: Reader) -> list[Did]:
    """Return the repositories that this site writes to."""
    rows = await reader.fetch("select did from identities where kind in ('connected', 'custodial') order by did")
    return [parse_did(row["did"]) for row in rows]


async def _facts(db: Database, did: Did) -> RepositoryFacts:
    async with db.reader() as reader:
        record_rows = await reader.fetch(KEPT, did=did)
        published = await reader.fetch(PUBLISHED, did=did)
        rowless = await reader.fetch(
            ROWLESS,
            did=did,
            events=sorted(EVENTS),
            rsvps=sorted(RSVPS),
            series=list(SERIES_COLLECTIONS),
            groups=list(GROUP_COLLECTIONS),
            statements=sorted(GROUP_STATEMENTS),
        )
        recordless = await reader.fetch(RECORDLESS[reader.engine], did=did)
    return RepositoryFacts(
        {row["uri"]: SeenVersion(row["cid"], row["rev"], RecordState(row["state"])) for row in record_rows},
        {row["uri"]: PublishedVersion(row["base_cid"], row["base_rev"] or "") for row in published},
        [row["uri"] for row in rowless],
        [row["uri"] for row in recordless],
    )


async def _is_first(db: Database, did: Did) -> bool:
    """Whether the repository was never read completely. In that case everything is new, and nothing went wrong."""
    async with db.reader() as reader:
        row = await reader.fetch_one("select synced_at from repositories where did = :did", did=did)
    return row is None or row["synced_at"] is None


async def _worth_counting(db: Database, discrepancies: Sequence[RecordDiscrepancy]) -> list[RecordDiscrepancy]:
    """Return the discrepancies without RSVPs to unknown events, which expire and come back by design."""
    missing = [one.uri for one in discrepancies if one.kind is Discrepancy.RECORD_MISSING]
    async with db.reader() as reader:
        seen_records = await seen.find_many(reader, missing)
    awaiting = {uri for uri, one in seen_records.items() if one.state is RecordState.AWAITS_EVENT}
    return [one for one in discrepancies if one.uri not in awaiting]


async def _repair(
    db: Database,
    network: NetworkClients,
    context: IngestionContext,
    did: Did,
    discrepancies: Sequence[RecordDiscrepancy],
    options: ReconcileOptions,
) -> list[RecordFailure]:
    """Repair rows of this site that the read does not repair, because their records have not changed. Returns the
    failures.
    """
    failed: dict[str, RecordFailure] = {}
    for one in discrepancies:
        if one.uri in failed:
            continue
        try:
            await _repair_record(db, network, context, did, one, options)
        except Exception as failure:
            if not quarantine.is_of_record(failure):
                raise
            failed[one.uri] = quarantined = RecordFailure(one.uri, "", failure)
            log.error("record.quarantined", uri=quarantined.uri, reason=quarantined.reason)
    return list(failed.values())


async def _repair_record(
    db: Database,
    network: NetworkClients,
    context: IngestionContext,
    did: Did,
    discrepancy: RecordDiscrepancy,
    options: ReconcileOptions,
) -> None:
    """Repair one discrepancy. The absence of a record is verified first."""
    match discrepancy.kind:
        case Discrepancy.ROW_MISSING | Discrepancy.PUBLICATION_DIFFERS:
            async with db.transaction() as tx:
                await derive_rows_again(tx, context, did, discrepancy.uri)
        case Discrepancy.ROW_DIFFERS:
            await differing(db, context, did, [discrepancy.uri], is_dry_run=False)
        case Discrepancy.ROW_WITHOUT_RECORD | Discrepancy.PUBLICATION_LOST:
            message = await _waiting_for_budget(
                options, partial(fetch_verified, network, parse_at_uri(discrepancy.uri), options.spend_on_server)
            )
            if message.cid is not None:
                await apply_fetched(db, context, message)
                return
            async with db.transaction() as tx:
                if discrepancy.kind is Discrepancy.ROW_WITHOUT_RECORD:
                    await detach_record(tx, context, did, discrepancy.uri, message.rev)
                else:
                    # If the read has already done this, the publication is no longer published and nothing changes.
                    await mark_not_published(tx, context, discrepancy.uri, message.rev)
        case Discrepancy.RECORD_MISSING | Discrepancy.RECORD_DIFFERS | Discrepancy.RECORD_GONE:
            return  # the read has already repaired it
