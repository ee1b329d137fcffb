"""History of each RSVP, shown to hosts and to the person who answered. Entries change only when accounts or events
are merged.

The order of entries is that of the revisions of their RSVP, because a transaction may begin before another one and
commit after it. Entries from before revisions were stored have revision 0 and are in the order of their ids.

Webhooks are called about each entry: ``append_many`` enqueues that; who executes an ``entry_write`` calls
``enqueue_webhooks``.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from groundwork.clock import Instant
from groundwork.database.bulk import SqlWrite, execute_each, insert_rows_sql
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.attendance.model import (
    Attendance,
    AttendanceId,
    AttendanceMode,
    AttendanceStatus,
    ChangeChannel,
    HistoryEntry,
    PendingFor,
)
from openmeet.domain.events.co_host_queries import co_hosts_of
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.paging import Page
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks.actions import ChangedSubject, enqueue_deliveries
from openmeet.domain.webhooks.model import WebhookEvent

_COLUMN_TYPES = {
    "id": "text",
    "attendance_id": "text",
    "revision": "bigint",
    "event_id": "text",
    "actor_id": "text",
    "through": "text",
    "before_status": "text",
    "before_pending_for": "text",
    "after_status": "text",
    "party": "integer",
    "mode": "text",
    "is_offered": "integer",
    "changed_at": "bigint",
}
_INSERT = (
    f"insert into attendance_history ({', '.join(_COLUMN_TYPES)}) values "
    f"({', '.join(f':{name}' for name in _COLUMN_TYPES)})"
)
_INSERT_EACH = insert_rows_sql("attendance_history", _COLUMN_TYPES)

# SQL for when the person of the RSVP ``a`` was checked in, or null unless they are checked in now.
CHECKED_IN_AT: Final = """case when a.status = 'attended'
    then (select c.changed_at from attendance_history c where c.attendance_id = a.id and c.after_status = 'attended'
             and coalesce(c.before_status, '') <> c.after_status
           order by c.revision desc, c.id desc limit 1) end"""

# SQL condition: ``h`` is the latest entry of its RSVP.
IS_LATEST: Final = """not exists (select 1 from attendance_history later where later.attendance_id = h.attendance_id
    and (later.revision, later.id) > (h.revision, h.id))"""

COLUMNS = (
    "id, attendance_id, revision, actor_id, through, before_status, before_pending_for, after_status, party, mode, "
    "is_offered, changed_at"
)


def entry_write(
    tx: Transaction,
    before: Attendance | None,
    after: Attendance,
    *,
    through: ChangeChannel,
    actor_id: UserId | None,
) -> SqlWrite:
    """The SQL write of one entry, for a batch together with the RSVP."""
    return SqlWrite(_INSERT, _values(tx, before, after, through, actor_id))


async def enqueue_webhooks(tx: Transaction, event: Event, after: Attendance, *, has_webhooks: bool = True) -> None:
    """Enqueue the webhook deliveries about the change of one RSVP, whose entry was just written. ``has_webhooks`` is False
    if no webhook is enabled.
    """
    if not has_webhooks:
        return
    group_id = event.group.id if event.group else None
    subject = _changed_subject(after, event.author_id, await co_hosts_of(tx, [event.id]), group_id)
    await enqueue_deliveries(tx, WebhookEvent.ANSWER, [subject])


async def append_many(
    tx: Transaction,
    before: Sequence[Attendance | None],
    after: Sequence[Attendance],
    *,
    through: ChangeChannel,
    actor_id: UserId | None = None,
) -> None:
    """Append one entry for each of several saved RSVPs, and enqueue the webhook deliveries about them. ``actor_id`` is
    None if no person changed them by hand.
    """
    lines = [_values(tx, old, new, through, actor_id) for old, new in zip(before, after, strict=True)]
    await execute_each(tx, _INSERT_EACH, lines)
    await _enqueue_webhooks_of_each(tx, after)


async def _enqueue_webhooks_of_each(tx: Transaction, rsvps: Sequence[Attendance]) -> None:
    """Enqueue the webhook deliveries about these RSVPs, whose events need not be loaded."""
    if not rsvps:
        return
    rows = await tx.fetch(
        "select id, author_id, group_id from events where id in :ids", ids=sorted({one.event_id for one in rsvps})
    )
    events = {row["id"]: row for row in rows}
    co_hosts = await co_hosts_of(tx, list(events))
    await enqueue_deliveries(
        tx,
        WebhookEvent.ANSWER,
        [
            _changed_subject(one, UserId(events[one.event_id]["author_id"]), co_hosts, events[one.event_id]["group_id"])
            for one in rsvps
            if one.event_id in events
        ],
    )


def _changed_subject(
    rsvp: Attendance, author_id: UserId, co_hosts: Mapping[EventId, Sequence[UserId]], group_id: str | None
) -> ChangedSubject:
    """The RSVP for webhooks that belong to the person, the hosts or the event's group."""
    return ChangedSubject(rsvp.id, (author_id, *co_hosts.get(rsvp.event_id, ()), rsvp.user_id), group_id)


async def of_rsvp(
    reader: Reader, attendance_id: AttendanceId, page: Page, *, newest_first: bool = False
) -> list[HistoryEntry]:
    """The history of one RSVP. It can have any number of entries, because each version of a record can add one."""
    rows = await reader.fetch(
        f"select {COLUMNS} from attendance_history where attendance_id = :attendance_id"
        f"{page.clause('revision', 'id', newest_first=newest_first)}",
        attendance_id=attendance_id,
        **page.values,
    )
    return [entry_of(row) for row in rows]


async def latest_change_to(
    reader: Reader, attendance_id: AttendanceId, status: AttendanceStatus
) -> HistoryEntry | None:
    """The latest entry that changed an RSVP to this status. Later changes of its party or mode are other entries."""
    return (await latest_changes_to(reader, [attendance_id], status)).get(attendance_id)


async def latest_changes_to(
    reader: Reader, ids: Sequence[AttendanceId], status: AttendanceStatus
) -> dict[AttendanceId, HistoryEntry]:
    """``latest_change_to`` for several RSVPs. Those that never got this status are missing."""
    rows = await reader.fetch(
        f"select {COLUMNS} from attendance_history where attendance_id in :ids and after_status = :status"
        " and coalesce(before_status, '') <> after_status order by revision, id",
        ids=list(ids),
        status=status.value,
    )
    return {entry.attendance_id: entry for entry in map(entry_of, rows)}


# Before their rejection, these people had asked to come and were not checked in, or nothing is known about them (None).
_ASKED_TO_COME: Final = (None, AttendanceStatus.ATTENDING, AttendanceStatus.PENDING, AttendanceStatus.WAITLISTED)


async def rejected_to_restore(reader: Reader, rejected: Sequence[AttendanceId]) -> set[AttendanceId]:
    """Those of these rejected RSVPs that get their earlier status back when they are approved, because their person had
    not asked to come, or was already checked in.
    """
    rejections = await latest_changes_to(reader, rejected, AttendanceStatus.REJECTED)
    return {
        one
        for one, entry in rejections.items()
        if entry.before not in _ASKED_TO_COME or entry.before_pending_for is PendingFor.UNCLEAR
    }


async def asked_by_record_at(reader: Reader, attendance_id: AttendanceId) -> Instant | None:
    """When a record of the person last made this pending RSVP a request to come. None if no entry says so.

    ``answered_at`` may be earlier, because it is when the URI of the record was first seen, and the record may have said
    something else then.
    """
    row = await reader.fetch_one(
        "select changed_at from attendance_history where attendance_id = :attendance_id"
        " and through = :network and after_status = :pending"
        " and (before_status is null or before_status <> :pending or before_pending_for = :unclear)"
        " order by revision desc, id desc limit 1",
        attendance_id=attendance_id,
        network=ChangeChannel.NETWORK.value,
        pending=AttendanceStatus.PENDING.value,
        unclear=PendingFor.UNCLEAR.value,
    )
    return None if row is None else Instant(row["changed_at"])


async def pending_for_after(reader: Reader, entry: HistoryEntry) -> PendingFor | None:
    """What the RSVP was pending for after this change. None if it was not pending."""
    row = await reader.fetch_one(
        "select before_pending_for as pending_for from attendance_history where attendance_id = :attendance_id"
        " and (revision, id) > (:revision, :id) order by revision, id limit 1",
        attendance_id=entry.attendance_id,
        revision=entry.revision,
        id=entry.id,
    ) or await reader.fetch_one("select pending_for from attendances where id = :id", id=entry.attendance_id)
    return PendingFor(row["pending_for"]) if row and row["pending_for"] else None


async def status_at(reader: Reader, attendance_id: AttendanceId, at: Instant) -> AttendanceStatus | None:
    """The status that an RSVP had at this instant. None if it did not exist yet."""
    row = await reader.fetch_one(
        "select after_status from attendance_history where attendance_id = :attendance_id and changed_at <= :at"
        " order by revision desc, id desc limit 1",
        attendance_id=attendance_id,
        at=at,
    )
    return AttendanceStatus(row["after_status"]) if row else None


async def missed_offers(reader: Reader, rsvps: Collection[Attendance]) -> set[AttendanceId]:
    """Those of these RSVPs for which a place was held that the person did not take in time, and who have not answered
    since.
    """
    ids = sorted(one.id for one in rsvps if one.status is AttendanceStatus.INVITED)
    if not ids:
        return set()
    rows = await reader.fetch(
        """
        select h.attendance_id from attendance_history h
         where h.attendance_id in :ids and h.after_status = :invited and h.before_status = :waitlisted
           and h.through = :clock
           and not exists (select 1 from attendance_history later
                            where later.attendance_id = h.attendance_id
                              and (later.revision, later.id) > (h.revision, h.id) and later.after_status = :invited)
         order by h.attendance_id
        """,
        ids=ids,
        invited=AttendanceStatus.INVITED.value,
        waitlisted=AttendanceStatus.WAITLISTED.value,
        clock=ChangeChannel.CLOCK.value,
    )
    return {AttendanceId(row["attendance_id"]) for row in rows}


async def has_missed_offer(reader: Reader, rsvp: Attendance | None) -> bool:
    """``missed_offers`` for one RSVP, if there is one."""
    return rsvp is not None and bool(await missed_offers(reader, [rsvp]))


async def has_reply(reader: Reader, attendance_id: AttendanceId) -> bool:
    """Whether the person has ever replied, so that the RSVP consists of more than decisions of hosts."""
    row = await reader.fetch_one(
        "select 1 as found from attendance_history where attendance_id = :attendance_id and after_status not in :of_hosts"
        " limit 1",
        attendance_id=attendance_id,
        of_hosts=[
            one.value for one in (AttendanceStatus.INVITED, AttendanceStatus.REJECTED, AttendanceStatus.ATTENDED)
        ],
    )
    return row is not None


async def count_changes_out_of(
    reader: Reader, ids: Sequence[AttendanceId], statuses: Collection[AttendanceStatus]
) -> dict[AttendanceId, int]:
    """Return how often each of these RSVPs changed from one of these statuses to another one, whoever changed it. RSVPs
    without such a change are left out.
    """
    if not ids:
        return {}
    rows = await reader.fetch(
        "select attendance_id, count(*) as n from attendance_history where attendance_id in :ids"
        " and before_status in :statuses and after_status not in :statuses group by attendance_id order by attendance_id",
        ids=list(ids),
        statuses=[one.value for one in statuses],
    )
    return {AttendanceId(row["attendance_id"]): int(row["n"]) for row in rows}


# Only these changes are invitations: a mistaken check-in that is undone makes a person "invited" again. People who were
# invited to the whole series before are invited to a new date without an e-mail.
_INVITATIONS: Final = """
    select count(*) as n from attendance_history h
     where h.event_id = :event_id and h.through = :through and h.changed_at >= :since and h.after_status = :invited
       and (h.before_status is null or h.before_status = :rejected)
       and not exists (select 1 from attendances a
                         join events e on e.id = a.event_id
                         join event_series_invitations s on s.series_id = e.series_id and s.user_id = a.user_id
                        where a.id = h.attendance_id and s.created_at < h.changed_at
                          and (s.ended_at is null or s.ended_at > h.changed_at))
"""


async def count_invitations(reader: Reader, event_id: EventId, since: Instant) -> int:
    """Return how many invitations to the event the hosts have sent since this instant. Those to people who have already
    answered count too, although no e-mail is sent: the limit must not reveal who they are.
    """
    row = await reader.fetch_one(
        _INVITATIONS,
        event_id=event_id,
        through=ChangeChannel.HOST.value,
        since=since,
        invited=AttendanceStatus.INVITED.value,
        rejected=AttendanceStatus.REJECTED.value,
    )
    return int(row["n"]) if row else 0


def _values(
    tx: Transaction, before: Attendance | None, after: Attendance, through: ChangeChannel, actor_id: UserId | None
) -> dict[str, object]:
    return {
        "id": new_id(tx.now),
        "attendance_id": after.id,
        "revision": after.revision,
        "event_id": after.event_id,
        "actor_id": actor_id,
        "through": through.value,
        "before_status": before.status.value if before else None,
        "before_pending_for": before.pending_for.value if before and before.pending_for else None,
        "after_status": after.status.value,
        "party": after.party,
        "mode": after.mode.value if after.mode else None,
        "is_offered": int(after.offered_until is not None),
        "changed_at": tx.now,
    }


def entry_of(row: Row) -> HistoryEntry:
    """Parse a row with ``COLUMNS``."""
    return HistoryEntry(
        id=row["id"],
        attendance_id=AttendanceId(row["attendance_id"]),
        revision=row["revision"],
        actor_id=UserId(row["actor_id"]) if row["actor_id"] else None,
        through=ChangeChannel(row["through"]),
        before=AttendanceStatus(row["before_status"]) if row["before_status"] else None,
        before_pending_for=PendingFor(row["before_pending_for"]) if row["before_pending_for"] else None,
        after=AttendanceStatus(row["after_status"]),
        party=row["party"],
        mode=AttendanceMode(row["mode"]) if row["mode"] else None,
        is_offered=bool(row["is_offered"]),
        changed_at=row["changed_at"],
    )
