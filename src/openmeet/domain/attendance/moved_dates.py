"""Events that were moved since a person answered them, and the dates of a series that they are asked about at once.

Each date can also be answered by itself. ``known_starts_at`` of the RSVP decides (``is_moved_since``), so nothing is
stored when a host moves a series.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.events.co_host_queries import CO_HOSTED
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.groups.membership_queries import is_unwelcome_at
from openmeet.domain.users.model import UserId

# The name, in e-mails and forms, of the reply that confirms all moved dates of a series.
ALL_DATES: Final = "all_dates"

# The smallest changes of a start that count as a move, in microseconds. All-day events move by whole days, and a change
# of their time zone is none.
_SMALLEST_MOVE: Final = 1
_SMALLEST_MOVE_OF_DAYS: Final = DAY // 2

# SQL condition: the person ``:user_id``, whose RSVP is ``a``, is asked whether the new time of the event ``e`` works. Must
# agree with ``answer_bar.AnswerState.MOVED``, except for people who may not answer (``_MAY_ANSWER``);
# ``test_moved_condition`` compares them.
ASKS_ABOUT_NEW_TIME: Final = f"""
    (a.status in ('attending', 'waitlisted', 'pending') and coalesce(a.pending_for, 'approval') = 'approval'
     and not (a.status = 'waitlisted' and coalesce(a.offered_until, 0) > :now)
     and e.starts_at > :now
     and abs(a.known_starts_at - e.starts_at)
         >= case when e.is_all_day = 1 then {_SMALLEST_MOVE_OF_DAYS} else {_SMALLEST_MOVE} end
     and e.is_draft = 0 and e.is_held = 0 and e.status <> 'cancelled' and e.deleted_at is null and e.removed_at is null
     and e.author_id <> :user_id and e.id not in ({CO_HOSTED}))
"""

# SQL condition: the person may confirm the new time of an event that asks about it. Somebody on the waitlist whom the host
# has blocked may not. Lists of events leave them out by the state of the answer bar, because PostgreSQL would read all
# events for a query with both conditions.
_MAY_ANSWER: Final = f"(a.status = 'attending' or not {is_unwelcome_at('e.author_id', 'e.group_id', ':user_id')})"


@dataclass(frozen=True, slots=True)
class MovedDates:
    """The moved dates of one series that a person is asked about. ``count`` is at least 1."""

    series_slug: str
    count: int


def is_moved_since(event: Event, known_starts_at: Instant | None) -> bool:
    """Whether the event starts at a different time than the person knew when they answered. False again once it is
    moved back.
    """
    if known_starts_at is None or event.starts_at is None:
        return False
    return abs(event.starts_at - known_starts_at) >= smallest_move(event)


def smallest_move(event: Event) -> int:
    """The smallest change of the start that counts as a move, in microseconds."""
    return _SMALLEST_MOVE_OF_DAYS if event.is_all_day else _SMALLEST_MOVE


async def moved_dates(reader: Reader, user_id: UserId, series_ids: Collection[str]) -> dict[str, MovedDates]:
    """The moved dates of each of these series. Series without any are left out."""
    if not series_ids:
        return {}
    rows = await reader.fetch(
        f"""
        select s.id, s.slug, count(*) as found
          from attendances a join events e on e.id = a.event_id join event_series s on s.id = e.series_id
         where a.user_id = :user_id and e.series_id in :series_ids and {ASKS_ABOUT_NEW_TIME} and {_MAY_ANSWER}
         group by s.id, s.slug order by s.id
        """,
        user_id=user_id,
        series_ids=sorted(series_ids),
        now=reader.now,
    )
    return {row["id"]: MovedDates(row["slug"], int(row["found"])) for row in rows}


async def moved_dates_if_several(reader: Reader, user_id: UserId, series_id: str) -> MovedDates | None:
    """The moved dates of a series, if there are several, so that one answer can confirm them all; otherwise None."""
    moved = (await moved_dates(reader, user_id, [series_id])).get(series_id)
    return None if moved is None or moved.count == 1 else moved


async def slugs_of_moved_dates(reader: Reader, user_id: UserId, series_id: str) -> list[EventSlug]:
    """The moved dates of a series that the person is asked about, by start."""
    rows = await reader.fetch(
        f"""
        select e.slug from attendances a join events e on e.id = a.event_id
         where a.user_id = :user_id and e.series_id = :series_id and {ASKS_ABOUT_NEW_TIME} and {_MAY_ANSWER}
         order by e.starts_at, e.id
        """,
        user_id=user_id,
        series_id=series_id,
        now=reader.now,
    )
    return [EventSlug(row["slug"]) for row in rows]
