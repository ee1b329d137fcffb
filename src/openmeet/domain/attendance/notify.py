"""Who hears of what happens to events that they answered, and what is said to them of a change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import SEATED, AttendanceStatus
from openmeet.domain.attendance.queries import IS_GUEST
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.notifications.model import NOTHING_MORE, Particulars, When
from openmeet.domain.users.model import UserId

# What news call the parts of an event that may change beside its time and place. What is said there is not for everybody: only
# that it changed is told.
_PARTS: Mapping[str, str] = {
    "title": "title",
    "ends_at": "end",
    "mode": "way of taking part",
    "online_url": "link for joining online",
    "description": "description",
    "door_note": "how to get in",
    "tickets": "tickets",
    "capacity": "number of places",
    "accessibility": "accessibility",
    "visibility": "who may see it",
    "links": "links",
    "picture": "picture",
    "categories": "categories",
    "tags": "tags",
    "languages": "languages",
}

# Who hears that an event changed, is cancelled or comes back; also who is checked in, from a day before the start on.
CONCERNED = (
    *SEATED,
    AttendanceStatus.INTERESTED,
    AttendanceStatus.WAITLISTED,
    AttendanceStatus.PENDING,
    AttendanceStatus.INVITED,
)


@dataclass(frozen=True, slots=True)
class Heard:
    """How far a crowd was told of what is being taken back: people up to this one, none behind; and when that was done."""

    until: UserId
    since: Instant


async def people_to_tell(reader: Reader, event_id: EventId, statuses: Sequence[AttendanceStatus]) -> list[UserId]:
    """Who answered so and can be told: people known only by their DID read nothing here."""
    rows = await reader.fetch(
        f"""
        select a.user_id from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.status in :wanted and (u.kind = 'person' or {IS_GUEST}) order by a.user_id
        """,
        event_id=event_id,
        wanted=[status.value for status in statuses],
    )
    return [UserId(row["user_id"]) for row in rows]


async def people_of_dates(
    reader: Reader, event_ids: Sequence[EventId], statuses: Sequence[AttendanceStatus]
) -> list[tuple[UserId, EventId]]:
    """``people_to_tell`` of several events: who, and about which of them; the earliest event first."""
    if not event_ids:
        return []
    rows = await reader.fetch(
        f"""
        select a.user_id, a.event_id from attendances a join users u on u.id = a.user_id join events e on e.id = a.event_id
         where a.event_id in :events and a.status in :wanted and (u.kind = 'person' or {IS_GUEST})
         order by e.starts_at, e.id, a.user_id
        """,
        events=list(event_ids),
        wanted=[status.value for status in statuses],
    )
    return [(UserId(row["user_id"]), EventId(row["event_id"])) for row in rows]


async def people_answering(
    reader: Reader,
    event_ids: Sequence[EventId],
    statuses: Sequence[AttendanceStatus],
    *,
    after: UserId,
    limit: int,
    only: Heard | None = None,
) -> list[UserId]:
    """``people_to_tell`` of several events behind ``after``, each once, in order of their ids.

    ``only``: up to this person, and who answered since.
    """
    if not event_ids:
        return []
    rows = await reader.fetch(
        f"""
        select distinct a.user_id from attendances a join users u on u.id = a.user_id
         where a.event_id in :events and a.status in :wanted and a.user_id > :after and (u.kind = 'person' or {IS_GUEST})
           {"" if only is None else "and (a.user_id <= :until or a.answered_at >= :since)"}
         order by a.user_id limit :limit
        """,
        events=list(event_ids),
        wanted=[status.value for status in statuses],
        after=after,
        limit=limit,
        **({} if only is None else {"until": only.until, "since": only.since}),
    )
    return [UserId(row["user_id"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Answered:
    """The earliest of some events that one person answered, in order, and how many there are in all."""

    earliest: list[EventId]
    total: int


async def earliest_answered(
    reader: Reader,
    event_ids: Sequence[EventId],
    statuses: Sequence[AttendanceStatus],
    user_ids: Sequence[UserId],
    *,
    at_most: int,
) -> dict[UserId, Answered]:
    """The earliest of these events that each of these people answered so; who answered none is left out."""
    if not event_ids or not user_ids:
        return {}
    rows = await reader.fetch(
        """
        select user_id, event_id, total
          from (select a.user_id, a.event_id, count(*) over (partition by a.user_id) as total,
                       row_number() over (partition by a.user_id order by e.starts_at, e.id) as place
                  from attendances a join events e on e.id = a.event_id
                 where a.event_id in :events and a.user_id in :people and a.status in :wanted) answered
         where place <= :at_most order by user_id, place
        """,
        at_most=at_most,
        events=list(event_ids),
        people=list(user_ids),
        wanted=[status.value for status in statuses],
    )
    found: dict[UserId, Answered] = {}
    for row in rows:
        one = found.setdefault(UserId(row["user_id"]), Answered([], int(row["total"])))
        one.earliest.append(EventId(row["event_id"]))
    return found


def particulars_of(before: Event | None, event: Event) -> Particulars:
    """What news say of this change: from when to when and from where to where, where that changed; and which parts else."""
    if before is None:
        return NOTHING_MORE
    parts = [words for name, words in _PARTS.items() if getattr(before, name) != getattr(event, name)]
    told = Particulars(said=", ".join(parts))
    if before.starts_at is not None and event.starts_at is not None and before.starts_at != event.starts_at:
        told = replace(
            told,
            started=When(before.starts_at, before.time_zone, before.is_all_day),
            starts=When(event.starts_at, event.time_zone, event.is_all_day),
        )
    if before.exact_place != event.exact_place:
        # What is kept with news is read by whoever is told: where exactly, the mail and the page say to those who may know.
        was, now = ", ".join(before.place.lines), ", ".join(event.place.lines)
        told = replace(told, is_near=True) if was == now else replace(told, was_at=was, is_at=now)
    return told


def earlier_start(before: Event | None, event: Event) -> Instant | None:
    """When somebody who has not heard of it would set out."""
    starts = [one.starts_at for one in (before, event) if one is not None and one.starts_at is not None]
    return min(starts, default=None)
