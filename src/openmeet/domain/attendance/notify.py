"""Notifications about events and RSVPs: their recipients and content when an event changes, and notifications to hosts
and attendees about RSVPs.
"""

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from groundwork.clock import DAY, SECOND, Instant
from groundwork.database.bulk import SqlWrite
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance.model import SEATED_STATUSES, Attendance, AttendanceStatus
from openmeet.domain.attendance.queries import CAN_BE_NOTIFIED
from openmeet.domain.events.co_host_queries import co_hosts_of
from openmeet.domain.events.content import END, changed_fields
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import DatesChanged, NewAnswer
from openmeet.domain.notifications.model import NotificationKind, P, Payload, ShownTime
from openmeet.domain.notifications.notify import Notice, notification_writes, notify, notify_each
from openmeet.domain.users.model import UserId

# An SQL select, to be put into other statements, and its parameters.
ParametrizedSelect = tuple[str, Mapping[str, object]]

# Who is notified when an event changes, is cancelled or reinstated. Checked-in people are included, because check-in
# opens a day before the start.
NOTIFIED_STATUSES = (
    *SEATED_STATUSES,
    AttendanceStatus.INTERESTED,
    AttendanceStatus.WAITLISTED,
    AttendanceStatus.PENDING,
    AttendanceStatus.INVITED,
)


@dataclass(frozen=True, slots=True)
class FanOutProgress:
    """How far the fan-out of an edit had got when the edit was undone: people with ids up to ``until`` had been notified.
    ``since`` is when the edit was made.
    """

    until: UserId
    since: Instant


async def people_to_notify(
    reader: Reader, event_id: EventId, statuses: Sequence[AttendanceStatus], *, among: Collection[UserId]
) -> list[UserId]:
    """Those ``among`` these people who are attendees with these statuses and can be notified. People known only by their
    DID cannot read notifications, and guests without an e-mail address get none.
    """
    if not among:
        return []
    rows = await reader.fetch(
        f"""
        select a.user_id from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.user_id in :among and a.status in :wanted and {CAN_BE_NOTIFIED}
         order by a.user_id
        """,
        event_id=event_id,
        among=sorted(among),
        wanted=[status.value for status in statuses],
    )
    return [UserId(row["user_id"]) for row in rows]


async def count_people_to_notify(
    reader: Reader, event_id: EventId, statuses: Sequence[AttendanceStatus], *, except_id: UserId
) -> int:
    """How many attendees with these statuses can be notified, without one person."""
    row = await reader.fetch_one(
        f"""
        select count(*) as number from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.user_id <> :except_id and a.status in :wanted and {CAN_BE_NOTIFIED}
        """,
        event_id=event_id,
        except_id=except_id,
        wanted=[status.value for status in statuses],
    )
    return int(row["number"]) if row else 0


async def people_to_notify_of_events(
    reader: Reader,
    event_ids: Sequence[EventId],
    statuses: Sequence[AttendanceStatus],
    *,
    after: UserId,
    limit: int,
    reached_by: FanOutProgress | None = None,
) -> list[UserId]:
    """Attendees of several events with these statuses who can be notified, each person once, in order of their ids, which
    are greater than ``after``.

    ``reached_by`` restricts the result to people whom that fan-out had reached, and those who answered since.
    """
    if not event_ids:
        return []
    rows = await reader.fetch(
        f"""
        select distinct a.user_id from attendances a join users u on u.id = a.user_id
         where a.event_id in :events and a.status in :wanted and a.user_id > :after and {CAN_BE_NOTIFIED}
           {"" if reached_by is None else "and (a.user_id <= :until or a.answered_at >= :since)"}
         order by a.user_id limit :limit
        """,
        events=list(event_ids),
        wanted=[status.value for status in statuses],
        after=after,
        limit=limit,
        **({} if reached_by is None else {"until": reached_by.until, "since": reached_by.since}),
    )
    return [UserId(row["user_id"]) for row in rows]


def merge_recipients(groups: Sequence[Sequence[UserId]], limit: int) -> tuple[list[UserId], bool]:
    """Merge the beginnings of several sorted lists of recipients. Returns up to ``limit`` people, and whether that is
    everybody. Pure.
    """
    everybody = sorted({user_id for group in groups for user_id in group})
    return everybody[:limit], len(everybody) <= limit


@dataclass(frozen=True, slots=True)
class AnsweredEvents:
    """The earliest of some events that one person answered, in order, and their total number."""

    earliest: list[EventId]
    total: int


async def earliest_answered(
    reader: Reader,
    event_ids: Sequence[EventId],
    statuses: Sequence[AttendanceStatus],
    user_ids: Sequence[UserId],
    *,
    at_most: int,
    also_counted_sql: ParametrizedSelect = ("", {}),
) -> dict[UserId, AnsweredEvents]:
    """The earliest of these events that each person answered with these statuses. People without any are left out.

    ``also_counted_sql``: SQL for further pairs of ``user_id`` and ``event_id`` that count as answered, and its parameters.
    """
    if not event_ids or not user_ids:
        return {}
    pairs = (
        "select user_id, event_id from attendances where event_id in :events and user_id in :people "
        "and status in :wanted"
    )
    also, values = also_counted_sql
    rows = await reader.fetch(
        f"""
        select user_id, event_id, total
          from (select a.user_id, a.event_id, count(*) over (partition by a.user_id) as total,
                       row_number() over (partition by a.user_id order by e.starts_at, e.id) as position
                  from ({pairs} {also and f"union all {also}"}) a join events e on e.id = a.event_id) answered
         where position <= :at_most order by user_id, position
        """,
        at_most=at_most,
        events=list(event_ids),
        people=list(user_ids),
        wanted=[status.value for status in statuses],
        **values,
    )
    answered_by_user: dict[UserId, AnsweredEvents] = {}
    for row in rows:
        answered = answered_by_user.setdefault(UserId(row["user_id"]), AnsweredEvents([], int(row["total"])))
        answered.earliest.append(EventId(row["event_id"]))
    return answered_by_user


def change_payload(before: Event | None, event: Event) -> DatesChanged:
    """Payload of a change notification: the old and new time and place if they changed, and which other parts changed."""
    if before is None:
        return DatesChanged()
    # The changed text may be private, so the notification only says that it changed.
    parts = changed_fields(before.content, event.content)
    payload = DatesChanged(parts=parts if before.ends_at == event.ends_at else (*parts, END))
    if before.starts_at is not None and event.starts_at is not None and before.starts_at != event.starts_at:
        payload = structs.replace(
            payload,
            started=ShownTime(before.starts_at, before.time_zone, before.is_all_day),
            starts=ShownTime(event.starts_at, event.time_zone, event.is_all_day),
        )
    if before.exact_place != event.exact_place:
        # Every recipient can read the stored payload. The e-mail and the page add the exact place for those who may
        # know it.
        (was_at, was_in), (is_at, is_in) = before.place.line_and_country, event.place.line_and_country
        if (was_at, was_in) == (is_at, is_in):
            return structs.replace(payload, is_near=True)
        payload = structs.replace(payload, was_at=was_at, was_in=was_in, is_at=is_at, is_in=is_in)
    return payload


def has_same_time(before: Event, event: Event) -> bool:
    """Whether the edit kept start, end, time zone and all-day. If not, attendees are notified even if the host chose not
    to notify them.
    """
    return (before.starts_at, before.ends_at, before.time_zone, before.is_all_day) == (
        event.starts_at,
        event.ends_at,
        event.time_zone,
        event.is_all_day,
    )


def earlier_start(before: Event | None, event: Event) -> Instant | None:
    """The earlier of the old and the new start: until then the notification is urgent for those who still expect the old
    one.
    """
    starts = [one.starts_at for one in (before, event) if one is not None and one.starts_at is not None]
    return min(starts, default=None)


async def hosts_of(reader: Reader, event: Event) -> list[UserId]:
    """The author and the co-hosts."""
    return [event.author_id, *(await co_hosts_of(reader, [event.id])).get(event.id, ())]


_MILLISECOND = SECOND // 1000
# Until the year 2109, milliseconds need 42 of 63 bits, which leaves 21. A batch can have hundreds of RSVPs to one event
# at the same instant.
_NUMBERS_PER_MILLISECOND = 1 << 21


def notification_revision(now: Instant, person: UserId, status: AttendanceStatus) -> int:
    """Return a revision that distinguishes notifications about RSVPs of many people, or of one person twice, in one
    transaction.
    """
    return (
        now // _MILLISECOND * _NUMBERS_PER_MILLISECOND
        + zlib.crc32(f"{person} {status}".encode()) % _NUMBERS_PER_MILLISECOND
    )


async def notify_people(
    tx: Transaction,
    event: Event,
    rsvps: Sequence[Attendance],
    kind: NotificationKind[P],
    payload: P,
    *,
    sources: Sequence[str] = (),
) -> None:
    """Notify the people of these saved RSVPs of the change that saved them. A second change of the same RSVP is a separate
    notification. ``sources`` are as in ``Notice``.
    """
    by_revision: dict[int, list[UserId]] = {}
    for one in rsvps:
        by_revision.setdefault(one.revision, []).append(one.user_id)
    for revision, to in by_revision.items():
        await notify(tx, kind, Notice(to, event.id, revision, payload, starts_at=event.starts_at, sources=sources))


async def notify_hosts(
    tx: Transaction, event: Event, hosts: Sequence[UserId], person: UserId, status: AttendanceStatus
) -> None:
    """Notify the hosts of an RSVP."""
    await notify_hosts_of_each(tx, event, hosts, [(person, status)])


async def notify_hosts_of_each(
    tx: Transaction, event: Event, hosts: Sequence[UserId], statuses: Sequence[tuple[UserId, AttendanceStatus]]
) -> None:
    """Notify the hosts of several RSVPs, one notification each, with hardly more statements than for a single one."""
    notices: dict[int, Notice[NewAnswer]] = {}
    for who, status in statuses:
        number = notification_revision(tx.now, who, status)
        while number in notices:  # two of a few hundred RSVPs may get the same number
            number += 1
        to = [one for one in hosts if one != who]
        notices[number] = Notice(to, event.id, number, NewAnswer(person_id=who, answer=status.value))
    await notify_each(tx, event_kinds.NEW_ANSWER, list(notices.values()))


async def host_notification_writes(
    tx: Transaction, event: Event, hosts: Sequence[UserId], person: UserId, status: AttendanceStatus
) -> Sequence[SqlWrite] | None:
    """Return the writes of ``notify_hosts``, to be executed in one batch with the RSVP, or None if that is not
    possible.
    """
    answer, number = NewAnswer(person_id=person, answer=status.value), notification_revision(tx.now, person, status)
    to = [one for one in hosts if one != person]
    return await notification_writes(tx, event_kinds.NEW_ANSWER, event.id, to, answer, revision=number)


async def notify_of_foreign_rsvps(tx: Transaction, event: Event) -> None:
    """Notify each host that there are foreign RSVPs, at most once a day and only if they have read the last such
    notification.
    """
    day = tx.now // DAY
    hosts = await hosts_of(tx, event)
    rows = await tx.fetch(
        "select user_id from notifications where user_id in :hosts and kind = :kind and subject_id = :event_id"
        " and (read_at is null or subject_revision >= :day) order by user_id",
        hosts=hosts,
        kind=event_kinds.FOREIGN_ANSWERS.name,
        event_id=event.id,
        day=day,
    )
    already_notified = {row["user_id"] for row in rows}
    to = [one for one in hosts if one not in already_notified]
    if to:
        await notify(tx, event_kinds.FOREIGN_ANSWERS, Notice(to, event.id, day, Payload()))
