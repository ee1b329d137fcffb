"""What somebody has on already at the times of dates to be: events that they go to or host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request

from groundwork.clock import HOUR, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput
from openmeet.recurrence.wall_time import parse_local
from openmeet.series import repeats_form
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_or_none
from openmeet.users.model import UserId

# What overlaps one of them is looked for among so many of a person's events; nobody has more in the next dates of a series.
_MOST = 500

_ON = """
    select e.title, e.starts_at, e.over_at from events e
     where e.starts_at < :end and e.over_at > :start and e.status <> 'cancelled'
       and e.deleted_at is null and e.removed_at is null
       and (e.author_id = :user_id or exists (select 1 from attendances a where a.event_id = e.id and a.user_id = :user_id
                                                 and a.status in ('attending', 'waitlisted', 'pending')))
       and (e.series_id is null or e.series_id <> :but)
     order by e.starts_at, e.id limit :most
"""


@dataclass(frozen=True, slots=True)
class Time:
    """When a date to be begins and ends."""

    starts_at: Instant
    ends_at: Instant | None

    @property
    def over_at(self) -> Instant:
        return self.ends_at or Instant(self.starts_at + HOUR)


async def clashes(reader: Reader, user_id: UserId, dates: Sequence[Time], *, but: str = "") -> list[str]:
    """For each of these dates the title of an event that overlaps it, empty where there is none. ``but``: a series that is edited."""
    if not dates:
        return []
    rows = await reader.fetch(
        _ON,
        user_id=user_id,
        start=min(one.starts_at for one in dates),
        end=max(one.over_at for one in dates),
        but=but,
        most=_MOST,
    )
    return [
        next(
            (row["title"] for row in rows if row["starts_at"] < one.over_at and row["over_at"] > one.starts_at),
            "",
        )
        for one in dates
    ]


async def in_form(request: Request, typed: Mapping[str, str], *, but: str = "") -> list[str]:
    """``clashes`` of the dates that a form previews, for whoever is signed in."""
    caller = caller_or_none(request)
    meaning = repeats_form.asked(typed, request.app.state.clock.now()).meaning
    if caller is None or meaning is None:
        return []
    length = _length(typed)
    times = [
        Time(one.at, None if length is None else Instant(one.at + length // timedelta(microseconds=1)))
        for one in meaning.dates
    ]
    async with database_of(request).reader() as reader:
        return await clashes(reader, caller.user_id, times, but=but)


def _length(typed: Mapping[str, str]) -> timedelta | None:
    try:
        length = parse_local(typed.get("ends", ""), "ends") - parse_local(typed.get("starts", ""), "starts")
    except InvalidInput:
        return None
    return length if length > timedelta() else None
