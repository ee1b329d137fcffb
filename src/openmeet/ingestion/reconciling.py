"""A repository compared with everything kept about it, and made to agree: records, publications, and the rows that follow from them.

The read decides (``backfill.apply_reading``): what is there and unknown here is applied, what is known here and not there is
gone, a publication that lost its record says so. Events, answers, series, groups and what is said of belonging to one that lost
touch with a record that is understood are derived from it anew (``mending``). What was found is counted (``discrepancies``), whether it could be repaired or not.
What fails on the way for a reason of its own is put aside (``put_aside``), and the rest is mended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from at_protocol.syntax.did import Did, parse_did
from groundwork.database.addresses import ENGINES, authority_of
from groundwork.database.transaction import Database, Engine, Reader, Transaction
from groundwork.outbox.owe import Debt
from groundwork.outbox.pay import Payer
from groundwork.telemetry.logs import log
from openmeet.identities.network import Network
from openmeet.ingestion import discrepancies, mending, put_aside
from openmeet.ingestion.backfill import Reading, apply_reading, read_repository
from openmeet.ingestion.comparing import Discrepancy, Facts, Found, Kept, Promised, compare
from openmeet.ingestion.events import Here
from openmeet.ingestion.put_aside import Failed, Step
from openmeet.records import seen
from openmeet.records.collections import (
    CONCERNING,
    EVENTS,
    GROUP_COLLECTIONS,
    GROUP_STATEMENTS,
    RSVPS,
    SERIES_COLLECTIONS,
)
from openmeet.records.seen import Standing

KEPT = "select uri, cid, rev, standing from records where did = :did"

PROMISED = """
    select uri, base_cid, base_rev from publications where did = :did and state = 'published' and uri is not null
"""

ROWLESS = """
    select r.uri from records r left join events e on e.record_uri = r.uri
     where r.did = :did and r.standing = 'mapped' and r.collection in :events and e.id is null
       and not exists (select 1 from former_records f where f.uri = r.uri)
    union all
    select r.uri from records r
      join events e on e.record_uri = r.subject_uri
      join identities i on i.did = r.did
      left join attendances a on a.event_id = e.id and a.user_id = i.user_id
     where r.did = :did and r.standing = 'mapped' and r.collection in :rsvps and a.id is null
    union all
    select r.uri from records r left join event_series s on s.record_uri = r.uri
     where r.did = :did and r.standing = 'mapped' and r.collection in :series and s.id is null
       and not exists (select 1 from former_records f where f.uri = r.uri)
    union all
    select r.uri from records r left join groups g on g.external_id = r.uri left join group_former_records f on f.uri = r.uri
     where r.did = :did and r.standing = 'mapped' and r.collection in :groups and g.id is null and f.uri is null
    union all
    select r.uri from records r left join group_statements s on s.uri = r.uri
     where r.did = :did and r.standing = 'mapped' and r.collection in :statements and s.uri is null
"""

# Answers are in the repositories of who gave them.
RECORDLESS: Mapping[Engine, str] = {
    engine: f"""
    select e.record_uri as uri from events e left join records r on r.uri = e.record_uri and r.standing <> 'tombstone'
     where e.record_did = :did and e.record_uri is not null and e.removed_at is null and e.deleted_at is null
       and r.uri is null
    union
    select a.record_uri from identities i join attendances a on a.user_id = i.user_id
      left join records r on r.uri = a.record_uri and r.standing <> 'tombstone'
     where i.did = :did and {authority_of(engine, "a.record_uri")} = :did and r.uri is null
    union
    select s.record_uri from event_series s left join records r on r.uri = s.record_uri and r.standing <> 'tombstone'
     where s.record_uri is not null and {authority_of(engine, "s.record_uri")} = :did and s.deleted_at is null and r.uri is null
    union
    select g.external_id from groups g left join records r on r.uri = g.external_id and r.standing <> 'tombstone'
     where g.external_id is not null and {authority_of(engine, "g.external_id")} = :did and g.deleted_at is null and r.uri is null
    union
    select m.external_id from group_members m left join records r on r.uri = m.external_id and r.standing <> 'tombstone'
     where m.external_id is not null and {authority_of(engine, "m.external_id")} = :did and r.uri is null
    union
    select s.uri from group_statements s left join records r on r.uri = s.uri and r.standing <> 'tombstone'
     where s.did = :did and r.uri is null
"""
    for engine in ENGINES
}


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one repository came to. ``records`` is None where it is not served; then nothing was compared.

    ``failed``: records that were put aside; they are among ``standing``, too.
    """

    did: Did
    records: int | None
    repaired: Sequence[Found]
    standing: Sequence[Found]
    failed: Sequence[Failed] = ()


def reconcile_payer(db: Database, network: Network, here: Here) -> Payer:
    """The payer of ``Debt.RECONCILE``; the subject is the DID."""

    async def pay(debt: Debt) -> None:
        await reconcile(db, network, here, parse_did(debt.subject))

    return pay


async def reconcile(db: Database, network: Network, here: Here, did: Did, *, is_dry_run: bool = False) -> Reconciled:
    """Compare, repair, count. A dry run changes and counts nothing; all that it found then still stands.

    Raises RemoteFailed and RemoteSlow.
    """
    reading = await read_repository(network, did)
    if reading is None:
        return Reconciled(did, None, (), ())
    there = {message.uri: message.cid or "" for message in reading.messages}
    found = compare(there, reading.rev, await _facts(db, did))
    if is_dry_run:
        return Reconciled(did, len(there), (), found)
    is_first = await _is_first(db, did)
    taken = await apply_reading(db, here, did, reading)
    aside = {one.uri for one in taken.failed}
    unmended = await _repair(db, here, did, reading, [one for one in found if one.uri not in aside])
    left = {(one.uri, one.kind) for one in compare(there, reading.rev, await _facts(db, did))}
    counted = [] if is_first or not taken.is_whole else await _worth_counting(db, found)
    repaired = [one for one in counted if (one.uri, one.kind) not in left]
    standing = [one for one in counted if (one.uri, one.kind) in left]
    async with db.transaction() as tx:
        await discrepancies.note(tx, did, repaired, standing)
        await put_aside.settle(tx, did, Step.MENDING, CONCERNING, unmended)
    for one in counted:
        log.warning("discrepancy.found", uri=one.uri, kind=one.kind.value, is_repaired=one in repaired)
    return Reconciled(did, len(there), repaired, standing, [*taken.failed, *unmended])


async def written_to(reader: Reader) -> list[Did]:
    """The repositories that this site writes to."""
    rows = await reader.fetch("select did from identities where kind in ('connected', 'custodial') order by did")
    return [parse_did(row["did"]) for row in rows]


async def _facts(db: Database, did: Did) -> Facts:
    async with db.reader() as reader:
        kept = await reader.fetch(KEPT, did=did)
        promised = await reader.fetch(PROMISED, did=did)
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
    return Facts(
        {row["uri"]: Kept(row["cid"], row["rev"], Standing(row["standing"])) for row in kept},
        {row["uri"]: Promised(row["base_cid"], row["base_rev"] or "") for row in promised},
        [row["uri"] for row in rowless],
        [row["uri"] for row in recordless],
    )


async def _is_first(db: Database, did: Did) -> bool:
    """Whether it was never read whole: then everything is new, and nothing went wrong."""
    async with db.reader() as reader:
        row = await reader.fetch_one("select synced_at from repositories where did = :did", did=did)
    return row is None or row["synced_at"] is None


async def _worth_counting(db: Database, found: Sequence[Found]) -> list[Found]:
    """Answers to events that nobody has seen are forgotten and met again: that is their life, and no disagreement."""
    missing = [one.uri for one in found if one.kind is Discrepancy.RECORD_MISSING]
    async with db.reader() as reader:
        known = await seen.find_many(reader, missing)
    parked = {uri for uri, one in known.items() if one.standing is Standing.PARKED}
    return [one for one in found if one.uri not in parked]


async def _repair(db: Database, here: Here, did: Did, reading: Reading, found: Sequence[Found]) -> list[Failed]:
    """Rows of this site that the read alone does not mend: it brings nothing new about them. What failed for a reason of its own."""
    failed: dict[str, Failed] = {}
    for one in found:
        if one.uri in failed:
            continue
        try:
            async with db.transaction() as tx:
                await _mend(tx, here, did, reading, one)
        except Exception as failure:
            if not put_aside.is_of_record(failure):
                raise
            failed[one.uri] = aside = Failed(one.uri, reading.rev, failure)
            log.error("record.put_aside", uri=aside.uri, rev=aside.rev, reason=aside.reason)
    return list(failed.values())


async def _mend(tx: Transaction, here: Here, did: Did, reading: Reading, one: Found) -> None:
    """Absence must be signed for."""
    match one.kind:
        case Discrepancy.ROW_MISSING | Discrepancy.PUBLICATION_DIFFERS:
            await mending.derive_anew(tx, here, did, one.uri)
        case Discrepancy.ROW_WITHOUT_RECORD if reading.is_signed:
            await mending.let_go(tx, here, did, one.uri, reading.rev)
        case Discrepancy.PUBLICATION_LOST if reading.is_signed:
            # Where the read has said so already, nothing is published any more and this changes nothing.
            await mending.give_up(tx, one.uri, reading.rev)
        case _:
            pass
