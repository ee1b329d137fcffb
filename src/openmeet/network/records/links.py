"""Links from events, series and groups to their current and former records: the consequences when these change, and the
locks that a change requires.

RSVPs are stored under the current record URI of their event, even if they refer to a former URI, so that one person's
RSVPs to the same event are found together. Changing the URI requires locks on all URIs (``uris_of``); applying an RSVP
requires only the lock on its own.
"""

from collections.abc import Collection
from typing import assert_never

from at_protocol.data import cbor
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Reader, Transaction, TransactionConflict
from openmeet.domain.attendance import event_changes, rsvp_records
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.events import event_records, record_changes
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId
from openmeet.domain.events.publication import enqueue_events_of_group
from openmeet.domain.groups import publication, record_queries
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.membership_queries import members_by_ids
from openmeet.domain.groups.model import GroupId, MemberId
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series import remote_records
from openmeet.domain.series.model import SeriesId
from openmeet.network.records import repository_state, seen, seen_rsvps
from openmeet.network.records.collections import RSVPS
from openmeet.network.records.rsvp import subject_of
from openmeet.network.records.succession import Predecessors
from openmeet.outbox import publications, superseded_records
from openmeet.outbox.publications import SUPERSEDED_KIND, PublicationKind, RecordVersion


async def store_location(tx: Transaction, kind: PublicationKind, subject_id: str, version: RecordVersion) -> None:
    """Store where the record of a publication is: on its event, series, RSVP, group or membership."""
    match kind:
        case PublicationKind.EVENT:
            await store_event_location(tx, EventId(subject_id), uri=version.uri, cid=version.cid, did=version.did)
        case PublicationKind.SERIES:
            await store_series_location(tx, SeriesId(subject_id), version.uri)
        case PublicationKind.RSVP:
            await rsvp_records.store_record_uri(
                tx,
                AttendanceId(subject_id),
                uri=version.uri,
                event_uri=subject_of(cbor.decode(version.body)),
                refers_to_event=seen_rsvps.refers_to_event,
            )
        case PublicationKind.GROUP:
            await store_group_location(tx, GroupId(subject_id), version.uri, version.cid)
        case PublicationKind.MEMBERSHIP:
            await store_statement_location(tx, MemberId(subject_id), version.uri)
        case PublicationKind.ACCEPTANCE | PublicationKind.GROUP_EVENT:
            pass  # only their publication says where they are
        case PublicationKind.SUPERSEDED_EVENT | PublicationKind.SUPERSEDED_SERIES | PublicationKind.SUPERSEDED_GROUP:
            pass  # their URI is their subject
        case _:
            assert_never(kind)


async def store_event_location(tx: Transaction, event_id: EventId, *, uri: str, cid: str, did: str) -> None:
    """Store where an event's record is. If the URI is new, RSVPs move to it, and publications that refer to it are
    decided again.
    """
    if not await record_changes.store_record_uri(tx, event_id, uri=uri, cid=cid, did=did):
        return
    await _store_current(tx, PublicationKind.EVENT, event_id, uri)
    await seen_rsvps.move_rsvps(
        tx, [one.uri for one in await superseded_records.of_subject(tx, PublicationKind.EVENT, event_id)], uri
    )
    await event_changes.make_rsvp_records_due(tx, [event_id])


async def store_series_location(tx: Transaction, series_id: SeriesId, uri: str | None) -> None:
    """Store where the record of a series is. None: it has no record (any longer), and the URI of its last one is kept."""
    before = await series_queries.by_id(tx, series_id)
    if uri is None and before is not None and before.record_uri is not None and before.deleted_at is None:
        await superseded_records.store(
            tx, PublicationKind.SERIES, series_id, before.record_uri, is_foreign=False, is_there=False
        )
    await remote_records.store_record_uri(tx, series_id, uri)
    if uri is not None:
        await _store_current(tx, PublicationKind.SERIES, series_id, uri)


async def mark_superseded_gone(tx: Transaction, uri: str) -> None:
    """Store that a superseded record was deleted or retracted. Its successor no longer names it, and its URI is kept.

    If no record has replaced it, its event has no record any more, and RSVPs wait for the next one.
    """
    superseded = await superseded_records.mark_gone(tx, uri)
    if superseded is not None:
        if superseded.kind is PublicationKind.EVENT:
            await event_records.count_retraction(tx, EventId(superseded.subject_id))
        await publications.make_due(
            tx, kind=superseded.kind, subject_ids=[superseded.subject_id], resets_write_count=True
        )
    event = await event_records.by_record_uri(tx, uri)
    if event is not None:
        await record_changes.forget_record(tx, event.id)
        await event_changes.make_rsvp_records_due(tx, [event.id])


async def mark_superseded_group_gone(tx: Transaction, uri: str) -> None:
    """``mark_superseded_gone`` for a superseded record of a group."""
    group_id = await record_queries.mark_superseded_gone(tx, uri)
    if group_id is not None:
        await publications.make_due(tx, kind=PublicationKind.GROUP, subject_ids=[group_id], resets_write_count=True)


async def delete_superseded_group(tx: Transaction, uri: str) -> None:
    """``superseded_records.delete`` for a superseded record of a group."""
    await record_queries.remove_superseded(tx, uri)
    await publications.delete_without_record(tx, kind=PublicationKind.SUPERSEDED_GROUP, subject_ids=[uri])


async def erase_from(tx: Transaction, did: str) -> None:
    """Remove the successions of a repository's records, and the references to them, after the repository was deleted
    with its account.
    """
    for erased in await superseded_records.erase(tx, did):
        await publications.make_due(tx, kind=erased.kind, subject_ids=[erased.subject_id], resets_write_count=True)


async def uris_of(reader: Reader, uris: Collection[str]) -> set[str]:
    """Return these records and all others that their events have or had. They are locked together."""
    if not uris:
        return set()
    rows = await reader.fetch(
        "select f.uri from superseded_records f join publications p on p.kind = f.kind and p.subject_id = f.subject_id"
        " where f.kind = 'event' and p.uri in :uris union"
        " select f.uri from superseded_records f join superseded_records g on g.kind = f.kind "
        "and g.subject_id = f.subject_id where f.kind = 'event' and g.uri in :uris",
        uris=sorted(uris),
    )
    return {*uris, *(row["uri"] for row in rows)}


async def _store_current(tx: Transaction, kind: PublicationKind, subject_id: str, uri: str) -> None:
    await superseded_records.delete(tx, uri)
    superseded = [one.uri for one in await superseded_records.of_subject(tx, kind, subject_id)]
    await publications.make_due(tx, kind=SUPERSEDED_KIND[kind], subject_ids=superseded, resets_write_count=True)


async def predecessors_of(reader: Reader, kind: PublicationKind, subject_id: str, uri: str) -> Predecessors:
    """Return what the record with this URI must state about its predecessors. A record that was handed back is stored as
    superseded until it is written again, and does not name itself.
    """
    superseded = await superseded_records.of_subject(reader, kind, subject_id)
    existing = tuple(one.uri for one in superseded if one.is_there and one.uri != uri)
    return Predecessors(existing, frozenset(one.uri for one in superseded))


async def lock_current(tx: Transaction, named: Collection[str], along: Collection[str] = ()) -> dict[str, str]:
    """Lock the events with these URIs, and ``along``; return the current URI of each superseded one.

    Raises TransactionConflict if an event has just moved to another record: retry.
    """
    before = await event_records.current(tx, named)
    await seen.lock_records(tx, {*along, *named, *before.values()})
    if tx.engine != "sqlite" and await event_records.current(tx, named) != before:
        raise TransactionConflict("an event has just got another record")
    return before


async def lock_record(tx: Transaction, did: Did, uri: str) -> None:
    """Lock one record, an event together with all records that it had, in the order of ingestion (``load_batch``): the
    floor of its repository comes first. Lock the event of an RSVP afterwards.
    """
    await repository_state.lock_floors_for_share(tx, [did])
    await seen.lock_records(tx, [uri] if parse_at_uri(uri).collection in RSVPS else await uris_of(tx, [uri]))


async def current_subject(tx: Transaction, named: str) -> str:
    """Return the current record URI of one RSVP's event, locked as in ``lock_current``."""
    return (await lock_current(tx, [named])).get(named, named)


async def lock_row_of(tx: Transaction, kind: PublicationKind, subject_id: str) -> None:
    """Lock the event, series or group of a publication, or the event of an RSVP, before the publication itself.

    Edits by users lock the event and then enqueue. Storing the result of a delivery must use the same order, or the two
    would deadlock on PostgreSQL and one of them would be rolled back.
    """
    if kind is PublicationKind.EVENT:
        await event_queries.lock_for_update(tx, EventId(subject_id))
        return
    if kind in {PublicationKind.SUPERSEDED_EVENT, PublicationKind.SUPERSEDED_SERIES}:
        superseded = await superseded_records.find(tx, subject_id)
        if superseded is not None:
            await lock_row_of(tx, superseded.kind, superseded.subject_id)
        return
    if kind is PublicationKind.SERIES:
        await series_queries.lock(tx, SeriesId(subject_id))
        return
    if kind in {
        PublicationKind.GROUP,
        PublicationKind.SUPERSEDED_GROUP,
        PublicationKind.MEMBERSHIP,
        PublicationKind.ACCEPTANCE,
    }:
        group_id = await _group_of(tx, kind, subject_id)
        if group_id is not None:
            await group_queries.lock(tx, group_id)
        return
    if kind is PublicationKind.GROUP_EVENT:
        await event_queries.lock_for_update(tx, EventId(subject_id))
        return
    attendance = await attendance_queries.by_id(tx, AttendanceId(subject_id))
    if attendance is not None:
        await event_queries.lock_for_update(tx, attendance.event_id)


async def _group_of(tx: Transaction, kind: PublicationKind, subject_id: str) -> GroupId | None:
    if kind is PublicationKind.GROUP:
        return GroupId(subject_id)
    if kind is PublicationKind.SUPERSEDED_GROUP:
        return await record_queries.group_of_superseded(tx, subject_id)
    membership = (await members_by_ids(tx, [subject_id])).get(MemberId(subject_id))
    return None if membership is None else membership.group_id


async def store_group_location(tx: Transaction, group_id: GroupId, uri: str | None, cid: str | None) -> None:
    """Store where the record of a group is. None: it has no record (any longer), and the URI of its last one is kept."""
    await _keep_superseded_uri(tx, group_id, uri)
    if await record_queries.set_record(tx, group_id, uri, cid):
        await make_references_due(tx, group_id)
    elif cid is not None:
        await record_queries.set_cid(tx, group_id, cid)


async def store_statement_location(tx: Transaction, member_id: MemberId, uri: str | None) -> None:
    """Store where a member's statement about their membership is; None if there is none (any longer)."""
    did = None if uri is None else parse_at_uri(uri).authority
    await record_queries.set_statement(tx, member_id, uri, did)
    await publications.make_due(tx, kind=PublicationKind.ACCEPTANCE, subject_ids=[member_id], resets_write_count=True)


async def forget_group_location(tx: Transaction, kind: PublicationKind, subject_id: str) -> None:
    """Store that a group's record, or a statement about a group, no longer exists."""
    match kind:
        case PublicationKind.GROUP:
            await store_group_location(tx, GroupId(subject_id), None, None)
        case PublicationKind.MEMBERSHIP:
            await store_statement_location(tx, MemberId(subject_id), None)
        case PublicationKind.ACCEPTANCE | PublicationKind.GROUP_EVENT | PublicationKind.SUPERSEDED_GROUP:
            pass  # only their publication says where they are
        case (
            PublicationKind.EVENT
            | PublicationKind.RSVP
            | PublicationKind.SERIES
            | PublicationKind.SUPERSEDED_EVENT
            | PublicationKind.SUPERSEDED_SERIES
        ):
            raise ValueError(f"not about a group: {kind}")
        case _:
            assert_never(kind)


async def _keep_superseded_uri(tx: Transaction, group_id: GroupId, uri: str | None) -> None:
    """Keep the URI of a retracted record for its group: members still refer to it, and publishing again writes there."""
    if uri is not None:
        await delete_superseded_group(tx, uri)
        return
    group = await group_queries.by_id(tx, group_id)
    superseded_uri = None if group is None or group.deleted_at is not None else group.network.record_uri
    if superseded_uri is not None:
        cid = await record_queries.record_cid(tx, group_id)
        await record_queries.add_superseded(tx, group_id, superseded_uri, cid or "", is_there=False)


async def make_references_due(tx: Transaction, group_id: GroupId) -> None:
    """Decide again every publication that refers to the group: members' statements, acceptances, events."""
    await publication.enqueue_members(tx, group_id)
    former = await record_queries.superseded_uris(tx, group_id)
    await publications.make_due(tx, kind=PublicationKind.SUPERSEDED_GROUP, subject_ids=former, resets_write_count=True)
    await enqueue_events_of_group(tx, group_id)
