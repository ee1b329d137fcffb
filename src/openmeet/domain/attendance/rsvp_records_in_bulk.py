"""Apply many new, changed and deleted RSVP records with a few statements.

This is possible if an RSVP depends only on the event, the person and the status: the first RSVP of a person known only by
a DID, its change and its end, if no seats are counted and nobody moves up. Otherwise one RSVP may affect the
next, or a person needs an e-mail; these RSVPs are left to ``rsvp_records``, one at a time. Both use ``rules.decide``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from groundwork.clock import Instant
from groundwork.database.row_lock import lock_rows
from groundwork.database.transaction import Reader, Transaction, TransactionConflict
from openmeet.domain.attendance import history, notify, queries, registration, rsvp_changes, rules, seats, waitlist
from openmeet.domain.attendance.model import (
    Attendance,
    AttendanceId,
    AttendanceStatus,
    ChangeChannel,
    RecordedRsvp,
    RsvpKey,
    RsvpSource,
)
from openmeet.domain.attendance.queries import COLUMNS, attendance_of
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rsvp_changes import RsvpChange
from openmeet.domain.attendance.rules import EventRelationship, RsvpDecision
from openmeet.domain.attendance.transitions import ACTION_OF_RECORD, AttendanceAction
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.co_host_queries import co_hosts_of
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.values import Visibility
from openmeet.domain.moderation.blocks import unwelcome_among
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId, UserKind


@dataclass(frozen=True, slots=True)
class _BatchContext:
    """What is read once for the whole batch, with the event rows locked."""

    events: dict[EventId, EventRegistration]
    rsvps: dict[RsvpKey, Attendance]
    kinds: dict[UserId, UserKind]
    unwelcome: set[RsvpKey]
    co_hosts: Mapping[EventId, Sequence[UserId]]
    events_with_waitlist: set[EventId]

    def hosts_of(self, event: Event) -> tuple[UserId, ...]:
        return event.author_id, *self.co_hosts.get(event.id, ())


async def apply_in_bulk(tx: Transaction, records: Sequence[RecordedRsvp]) -> set[RsvpKey]:
    """Apply the records that can be applied in bulk. Return the keys of those that must be applied one at a time.

    ``records`` has at most one RSVP per event and person. Raises TransactionConflict if a person has just been merged
    with another account.
    """
    batch = await _read_context(tx, records)
    new: dict[RsvpKey, Attendance] = {}
    changed: dict[AttendanceId, tuple[Attendance, Attendance]] = {}
    new_record_uris: dict[AttendanceId, str] = {}
    attached_uris: set[str] = set()
    not_in_bulk: set[RsvpKey] = set()
    for record in records:
        if record.user_id not in batch.kinds:
            raise TransactionConflict("this person’s account was merged with another one in between")
        rsvp = batch.rsvps.get(record.key)
        after = _rsvp_after(batch, record, rsvp, tx.now)
        if after is None:
            not_in_bulk.add(record.key)
            continue
        if rsvp is None:
            new[record.key] = after
            continue
        if rsvp.record_uri != record.record_uri:
            attached_uris.add(record.record_uri)
        if after is not rsvp:
            changed[rsvp.id] = (rsvp, replace(after, record_uri=record.record_uri))
        elif rsvp.record_uri != record.record_uri:
            new_record_uris[rsvp.id] = record.record_uri
    await queries.detach_records(tx, {one.record_uri for one in new.values() if one.record_uri} | attached_uris)
    await queries.insert_each(tx, list(new.values()))
    await queries.set_records(tx, new_record_uris)
    await _save(tx, [*new.values()], [*changed.values()])
    await _notify_hosts(tx, batch, [*new.values(), *(after for _, after in changed.values())])
    return not_in_bulk


async def apply_deletions_in_bulk(tx: Transaction, event_ids: Mapping[str, EventId | None]) -> set[str]:
    """Set the RSVPs whose records were deleted, and no others, to ``declined`` (invariant 9). Hosts are not notified.

    ``event_ids`` has the event of each record URI. Return the URIs of deletions that must be applied one at a time.
    """
    locked = {event_id for event_id in event_ids.values() if event_id is not None}
    await lock_rows(tx, "events", "id", locked)
    rsvps = await _rsvps_of_records(tx, event_ids.keys())
    kinds = await user_queries.kinds(tx, {one.user_id for one in rsvps.values()})
    events_with_waitlist = await waitlist.events_with_waitlist(tx, {one.event_id for one in rsvps.values()})
    changed: list[tuple[Attendance, Attendance]] = []
    only_record_gone: dict[AttendanceId, None] = {}
    not_in_bulk: set[str] = set()
    for uri, rsvp in rsvps.items():
        # A reply given on this site may take precedence, and people with an account need an e-mail.
        if (
            rsvp.event_id not in locked
            or rsvp.source is RsvpSource.HERE
            or kinds.get(rsvp.user_id) is not UserKind.SHADOW
        ):
            not_in_bulk.add(uri)
            continue
        decision = rules.decide_without_record(rsvp)
        if decision.status is rsvp.status:
            only_record_gone[rsvp.id] = None
            continue
        details = rsvp_changes.details_of(rsvp)
        after = rsvp_changes.with_decision(rsvp, decision, details, source=RsvpSource.NETWORK, answered_at=tx.now)
        if _moves_others(rsvp, after, events_with_waitlist):
            not_in_bulk.add(uri)
        else:
            changed.append((rsvp, replace(after, record_uri=None)))
    await queries.set_records(tx, only_record_gone)
    await _save(tx, [], changed)
    return not_in_bulk


async def _save(tx: Transaction, new: Sequence[Attendance], changed: Sequence[tuple[Attendance, Attendance]]) -> None:
    """Save the changed RSVPs (before, after) with their records, and the history of all."""
    saved = await queries.save_many_with_records(tx, [after for _, after in changed])
    lines = [
        (before, after)
        for (before, _), after in zip(changed, saved, strict=True)
        if rsvp_changes.belongs_in_history(before, after)
    ]
    before = [*(None for _ in new), *(one for one, _ in lines)]
    await history.append_many(tx, before, [*new, *(after for _, after in lines)], through=ChangeChannel.NETWORK)


async def _read_context(tx: Transaction, records: Sequence[RecordedRsvp]) -> _BatchContext:
    event_ids = sorted({record.event_id for record in records})
    await lock_rows(tx, "events", "id", event_ids)
    events_by_id = {event.id: event for event in await event_queries.several(tx, event_ids)}
    pairs = {record.key for record in records}
    rsvps = await queries.by_keys(tx, pairs)
    return _BatchContext(
        await registration.registrations_of(tx, list(events_by_id.values())),
        rsvps,
        await user_queries.kinds(tx, {record.user_id for record in records}),
        await unwelcome_among(tx, {pair: events_by_id[pair[0]].author_id for pair in pairs if pair[0] in events_by_id}),
        await co_hosts_of(tx, event_ids),
        await waitlist.events_with_waitlist(tx, {event_id for event_id, _ in rsvps}),
    )


def _rsvp_after(batch: _BatchContext, record: RecordedRsvp, rsvp: Attendance | None, now: Instant) -> Attendance | None:
    """Return the RSVP after the decision, or None if it must be decided one at a time."""
    event_registration = batch.events.get(record.event_id)
    if event_registration is None:
        return None
    event = event_registration.event
    if event.group is not None or (rsvp is not None and rsvp.offered_until is not None):
        return None
    if event.visibility is Visibility.PRIVATE or event.is_held:
        return None  # whether this person can see it is checked one at a time
    action = AttendanceAction.SHUT_OUT if record.key in batch.unwelcome else ACTION_OF_RECORD[record.status]
    is_foreign = batch.kinds[record.user_id] is UserKind.SHADOW
    relationship = EventRelationship(is_host=record.user_id in batch.hosts_of(event), is_foreign=is_foreign)
    asks_for_seat = rules.record_asks_for_seat(event_registration, rsvp, action, relationship)
    if asks_for_seat and not seats.limits_of(event_registration).is_unlimited:
        return None
    decision = rules.decide(
        event_registration, rsvp, action, relationship=relationship, has_room=asks_for_seat, asked_at=now
    )
    if rsvp is not None and (rsvp.status, rsvp.pending_for) == (decision.status, decision.pending_for):
        return rsvp
    if decision.status is AttendanceStatus.WAITLISTED:
        return None
    if rsvp is not None:
        return _changed_rsvp(batch, event, record, rsvp, decision) if is_foreign else None
    details = replace(rsvp_changes.details_of(None), mode=rsvp_changes.mode_for_record_reply(event, None))
    change = RsvpChange(
        event,
        record.user_id,
        None,
        decision,
        details,
        through=ChangeChannel.NETWORK,
        actor_id=None,
        source=RsvpSource.NETWORK,
        answered_at=record.first_seen_at,
        record_uri=record.record_uri,
    )
    return rsvp_changes.new_rsvp(change, now)


def _changed_rsvp(
    batch: _BatchContext, event: Event, record: RecordedRsvp, rsvp: Attendance, decision: RsvpDecision
) -> Attendance | None:
    """Return the RSVP with the changed reply, or None if other people may move up because of it."""
    details = replace(rsvp_changes.details_of(rsvp), mode=rsvp_changes.mode_for_record_reply(event, rsvp))
    changed = rsvp_changes.with_decision(
        rsvp, decision, details, source=RsvpSource.NETWORK, answered_at=record.first_seen_at
    )
    after = replace(changed, known_starts_at=event.starts_at)
    return None if _moves_others(rsvp, after, batch.events_with_waitlist) else after


def _moves_others(before: Attendance, after: Attendance, events_with_waitlist: Collection[EventId]) -> bool:
    return before.event_id in events_with_waitlist and rsvp_changes.may_move_waitlist_if_saved(before, after)


async def _notify_hosts(tx: Transaction, batch: _BatchContext, rsvps: Sequence[Attendance]) -> None:
    """Notify hosts as for a single RSVP. Most events from the network have no host who can be notified."""
    hosts = {event_id: batch.hosts_of(batch.events[event_id].event) for event_id in {one.event_id for one in rsvps}}
    unreachable = await queries.unreachable(
        tx, sorted({host for hosts_of_event in hosts.values() for host in hosts_of_event})
    )
    notified_of_foreign: set[EventId] = set()
    news: dict[EventId, list[tuple[UserId, AttendanceStatus]]] = {}
    for rsvp in rsvps:
        event_registration = batch.events[rsvp.event_id]
        event = event_registration.event
        if unreachable.issuperset(hosts[event.id]):
            continue
        relationship = EventRelationship(is_foreign=batch.kinds[rsvp.user_id] is UserKind.SHADOW)
        is_withheld = rules.foreign_policy_withholds_seat(event_registration, relationship)
        if is_withheld and rsvp.status is AttendanceStatus.PENDING:
            if event.id not in notified_of_foreign:
                notified_of_foreign.add(event.id)
                await notify.notify_of_foreign_rsvps(tx, event)
        elif event.author_id != rsvp.user_id:
            news.setdefault(event.id, []).append((rsvp.user_id, rsvp.status))
    for event_id, statuses in news.items():
        await notify.notify_hosts_of_each(tx, batch.events[event_id].event, hosts[event_id], statuses)


async def _rsvps_of_records(reader: Reader, uris: Collection[str]) -> dict[str, Attendance]:
    """The RSVPs with these records, by URI."""
    if not uris:
        return {}
    rows = await reader.fetch(f"select {COLUMNS} from attendances where record_uri in :uris", uris=sorted(uris))
    return {row["record_uri"]: attendance_of(row) for row in rows}
