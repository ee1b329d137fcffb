"""RSVP records as last seen: which one of a person's counts, and which ones await their event.

An RSVP *awaits its event* (state AWAITS_EVENT) if the event has not been seen or is not visible to its author; otherwise
its state is MAPPED. ``subject_uri`` is the record of the event.

Of a person's RSVPs to one event, in either state, the greatest (is verified, precedence, URI) is *effective*: it is the
one that counts. An unsigned record never overrides a signed one, under whatever key it was written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from groundwork.clock import DAY
from groundwork.database.bulk import fetch_each
from groundwork.database.expressions import qualified
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import encode_explanation
from openmeet.network.records.collections import RSVPS
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.seen import COLUMNS, RecordState, SeenRecord, find, find_many, seen_record_of

_K = TypeVar("_K")

# How long an RSVP waits for its event, and how many may wait per author.
LONGEST_WAIT_FOR_EVENT = 30 * DAY
MAX_AWAITING_PER_AUTHOR = 500

# A person needs one record per event, and a few if they use several apps. Comparing a hundred takes a millisecond.
MAX_RSVPS_TO_EVENT = 100

# Contents are only read of the effective one, because its author could write a hundred large ones.
_COMPARED = "uri, did, subject_uri, collection, state, is_verified, precedence"
RSVPS_OF_PERSON = f"""
    select {_COMPARED} from records
     where subject_uri = :subject_uri and did in :dids and state in ('mapped', 'awaits_event')
         and collection in :collections
"""
# For many people with one DID each. If there were conditions on state and collection, a planner with few statistics
# might start with those and compare every record with every pair.
RSVPS_OF_PAIRS = f"""
    select {qualified(_COMPARED, "r")}
      from each(subject_uri text, did text) as given
      join records r on r.subject_uri = given.subject_uri and r.did = given.did
"""
# Without its event, a record is no longer found with the others.
SET_ASIDE = "update records set state = 'raw', reason = :reason, subject_uri = null where uri in :uris"

AWAITING_SUBJECTS = f"""
    select {COLUMNS} from records where subject_uri in :subject_uris and state = 'awaits_event' order by first_seen_at, uri
"""

AWAITED_AMONG = """
    select distinct subject_uri from records where state = 'awaits_event' and subject_uri in :subject_uris
"""

WITH_RSVPS = """
    select given.uri from each(uri text) as given
     where exists (select 1 from records r where r.subject_uri = given.uri and r.state = 'mapped' and r.uri <> given.uri)
"""
RSVPS_TO = f"""
    select {COLUMNS} from records
     where subject_uri = :subject_uri and state = 'mapped' and uri <> subject_uri order by first_seen_at, uri
"""

END_WAIT = "update records set state = 'mapped', reason = '' where uri in :uris and state = 'awaits_event'"

SET_AWAITING_OF_PERSON = """
    update records set state = 'awaits_event', reason = :reason
     where subject_uri = :subject_uri and did in :dids and collection in :collections
         and state in ('mapped', 'awaits_event')
"""

SET_AWAITING = """
    update records set state = 'awaits_event', reason = :reason
     where state = 'mapped' and uri <> subject_uri
       and subject_uri in (select given.subject_uri from each(subject_uri text) as given)
"""

MOVE_SUBJECT = """
    update records set subject_uri = :did_uri where subject_uri = :handle_uri and state = 'awaits_event'
"""

MOVE_RSVPS = """
    update records set subject_uri = :current
     where subject_uri in :former and subject_uri <> :current and collection in :collections
"""

COUNT_AWAITING = """
    select did, is_verified, count(*) as n from records
     where did in :dids and state = 'awaits_event' group by did, is_verified order by did, is_verified
"""

# A deleted row comes back with the next read of its repository; a tombstone would prevent that. A record about a known
# event waits as long as the event exists.
_WAITED_TOO_LONG = """
    state = 'awaits_event' and first_seen_at < :before
       and not exists (select 1 from events e where e.record_uri = records.subject_uri and e.deleted_at is null)
       and not exists (select 1 from superseded_records f join events e on e.id = f.subject_id
                        where f.uri = records.subject_uri and f.kind = 'event' and e.deleted_at is null)
"""


@dataclass(frozen=True, slots=True)
class EffectiveRsvp:
    """A person's effective RSVP to an event. ``unproven_uri``: an unsigned record of theirs that would be effective
    instead if it were signed. ``excess_uris``: their records beyond ``MAX_RSVPS_TO_EVENT``, which are the smallest, so
    that the order of arrival does not decide which ones these are.
    """

    record: SeenRecord
    unproven_uri: str | None
    excess_uris: Sequence[str]


async def effective_rsvp(
    reader: Reader, *, subject_uri: str, dids: Sequence[str], collections: Sequence[str]
) -> EffectiveRsvp | None:
    """Return the effective RSVP of one person (all their DIDs) to one event; None if there is none."""
    rows = await reader.fetch(RSVPS_OF_PERSON, subject_uri=subject_uri, dids=list(dids), collections=list(collections))
    found = await _effective(reader, {subject_uri: rows})
    return found.get(subject_uri)


async def effective_by_pair(
    reader: Reader, pairs: Iterable[tuple[str, str]], collections: Sequence[str]
) -> dict[tuple[str, str], EffectiveRsvp]:
    """Return the effective RSVP for each pair (URI of an event, DID of a person who has no other DID), if there is one."""
    given = [{"subject_uri": subject_uri, "did": did} for subject_uri, did in sorted(set(pairs))]
    rows_by_pair: dict[tuple[str, str], list[Row]] = {}
    for row in await fetch_each(reader, RSVPS_OF_PAIRS, given):
        if row["state"] in {RecordState.MAPPED, RecordState.AWAITS_EVENT} and row["collection"] in collections:
            rows_by_pair.setdefault((row["subject_uri"], row["did"]), []).append(row)
    return await _effective(reader, rows_by_pair)


async def _effective(reader: Reader, rows_by_key: Mapping[_K, Sequence[Row]]) -> dict[_K, EffectiveRsvp]:
    ordered = {
        key: sorted(rows, key=lambda row: (row["is_verified"], *_precedence(row)), reverse=True)
        for key, rows in rows_by_key.items()
        if rows
    }
    records = await find_many(reader, [rows[0]["uri"] for rows in ordered.values()])
    effective: dict[_K, EffectiveRsvp] = {}
    for key, rows in ordered.items():
        uri, greatest_uri = rows[0]["uri"], max(rows, key=_precedence)["uri"]
        excess_uris = [row["uri"] for row in rows[MAX_RSVPS_TO_EVENT:]]
        effective[key] = EffectiveRsvp(records[uri], None if greatest_uri == uri else greatest_uri, excess_uris)
    return effective


def _precedence(rsvp: Row) -> tuple[str, str]:
    """Return the sort key of a person's RSVPs to one event if all of them are signed, or none: the greatest is effective,
    compared byte by byte regardless of the database's collation.
    """
    return rsvp["precedence"], rsvp["uri"]


async def set_aside(tx: Transaction, rsvp: EffectiveRsvp) -> None:
    """Keep the excess records only with the reason that there are too many by one person about one event, and with that
    event.
    """
    if rsvp.excess_uris:
        reason = RecordReason.TOO_MANY_RSVPS(event=rsvp.record.subject_uri)
        await tx.execute(SET_ASIDE, uris=list(rsvp.excess_uris), reason=encode_explanation(reason))


async def rsvps_awaiting(reader: Reader, subject_uris: Sequence[str]) -> list[SeenRecord]:
    """Return the RSVPs that await these events, in order of first arrival."""
    if not subject_uris:
        return []
    return [seen_record_of(row) for row in await reader.fetch(AWAITING_SUBJECTS, subject_uris=list(subject_uris))]


async def with_rsvps(reader: Reader, uris: Sequence[str]) -> list[str]:
    """Return the event records among these, including superseded ones, that RSVPs refer to without awaiting them."""
    return sorted(row["uri"] for row in await fetch_each(reader, WITH_RSVPS, [{"uri": uri} for uri in uris]))


async def rsvps_to(reader: Reader, subject_uri: str) -> list[SeenRecord]:
    """Return the RSVPs that refer to this event record and do not await it, in order of first arrival."""
    return [seen_record_of(row) for row in await reader.fetch(RSVPS_TO, subject_uri=subject_uri)]


async def awaited_among(reader: Reader, subject_uris: Sequence[str]) -> set[str]:
    """Return the events among these that RSVPs await."""
    if not subject_uris:
        return set()
    rows = await reader.fetch(AWAITED_AMONG, subject_uris=list(subject_uris))
    return {row["subject_uri"] for row in rows}


async def end_wait(tx: Transaction, uris: Sequence[str]) -> None:
    """Store that these RSVPs no longer await their event."""
    if uris:
        await tx.execute(END_WAIT, uris=list(uris))


async def make_person_await(
    tx: Transaction, *, subject_uri: str, dids: Sequence[str], collections: Sequence[str], reason: RecordReason
) -> None:
    """Make the RSVPs of one person (all their DIDs) to one event await it, with this reason."""
    await tx.execute(
        SET_AWAITING_OF_PERSON,
        subject_uri=subject_uri,
        dids=list(dids),
        collections=list(collections),
        reason=encode_explanation(reason),
    )


async def make_all_await(tx: Transaction, subject_uris: Iterable[str], reason: RecordReason) -> None:
    """Make all RSVPs to these events await them, with this reason."""
    await fetch_each(
        tx, SET_AWAITING, [{"subject_uri": uri} for uri in sorted(subject_uris)], reason=encode_explanation(reason)
    )


async def resolve_subject(tx: Transaction, *, handle_uri: str, did_uri: str) -> None:
    """Replace the subject of RSVPs awaiting their event by the URI with the DID, after its handle was resolved."""
    await tx.execute(MOVE_SUBJECT, handle_uri=handle_uri, did_uri=did_uri)


async def move_rsvps(tx: Transaction, former: Sequence[str], current: str) -> None:
    """Move RSVPs from these superseded records of an event to its current one."""
    if former:
        await tx.execute(MOVE_RSVPS, former=list(former), current=current, collections=sorted(RSVPS))


async def count_awaiting(reader: Reader, dids: Iterable[str]) -> dict[tuple[str, bool], int]:
    """Return how many RSVPs of each of these authors await an event, by (DID, whether only signed ones are counted).

    The limit is ``MAX_AWAITING_PER_AUTHOR``. A signed record is compared with the number of signed ones, because
    somebody else can send any number of unsigned ones.
    """
    unique_dids = sorted(set(dids))
    rows = await reader.fetch(COUNT_AWAITING, dids=unique_dids) if unique_dids else []
    counts: dict[tuple[str, bool], int] = {}
    for row in rows:
        for is_verified in {False, bool(row["is_verified"])}:
            counts[row["did"], is_verified] = counts.get((row["did"], is_verified), 0) + int(row["n"])
    return counts


async def expire_awaiting(tx: Transaction) -> int:
    """Delete RSVPs whose event did not arrive in time, at most as many as ``delete_some``; return their number."""
    return await delete_some(tx, "records", _WAITED_TOO_LONG, before=tx.now - LONGEST_WAIT_FOR_EVENT)


async def refers_to_event(reader: Reader, uri: str, subject_uri: str | None) -> bool:
    """Whether this record is an RSVP to the event with the given record and does not await it."""
    rsvp = await find(reader, uri)
    return rsvp is not None and rsvp.state is RecordState.MAPPED and rsvp.subject_uri == subject_uri
