"""Expected RSVPs: those that a job has still to add to new dates of a series (``series.new_date_rsvps``).

If such a date is moved, cancelled or deleted meanwhile, the people with a standing RSVP and those who are invited to all
dates are notified like its attendees. The queries leave out everyone who already has an RSVP to the date, and those who
would not see it.
"""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from groundwork.database.transaction import Reader
from groundwork.outbox import jobs
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.notify import ParametrizedSelect
from openmeet.domain.attendance.queries import CAN_BE_NOTIFIED
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.groups.model import INSIDE, roles_sql
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import JobKind


class IncompleteDates(msgspec.Struct, frozen=True):
    """Dates to which a job has still to add RSVPs. ``limited``: those of them with limited places, to which not every
    standing RSVP applies.
    """

    dates: list[EventId] = []
    limited: list[EventId] = []


NO_INCOMPLETE_DATES: Final = IncompleteDates()


async def incomplete_among(reader: Reader, events: Sequence[Event]) -> IncompleteDates:
    """Return which of these events are incomplete."""
    ids = await jobs.uncompleted_among(reader, JobKind.NEW_DATE, [event.id for event in events])
    incomplete = [event for event in events if event.id in ids]
    if not incomplete:
        return NO_INCOMPLETE_DATES
    limited = await registration.limited_among(reader, incomplete)
    return IncompleteDates([event.id for event in incomplete], sorted(limited))


_SERIES_OF: Final = """
    select coalesce(e.series_id, (
               select f.series_id from retired_calendar_uids f where f.event_id = e.id and f.series_id <> ''
                order by f.left_at desc, f.sequence desc limit 1)) as series_id
      from events e where e.id = :event_id
"""


async def series_of(reader: Reader, event_id: EventId) -> str | None:
    """The series whose standing RSVPs and invitations apply to this date. If the series was deleted and the date kept as
    a single event, they still apply, as to dates to which the RSVPs were added in time. None if there is no such event.
    """
    row = await reader.fetch_one(_SERIES_OF, event_id=event_id)
    return None if row is None else row["series_id"]


# People to whom a job adds RSVPs. A person can be there twice: invited, and with a standing RSVP.
_CANDIDATES: Final = f"""(
    select f.user_id, f.with_limited, 0 as is_invited from event_series_standing_rsvps f
      join users u on u.id = f.user_id join event_series s on s.id = f.series_id
     where f.series_id = :series_id and u.kind = 'person' and f.user_id <> s.user_id
    union all
    select a.user_id, 1, 1 from event_series_invitations a join users u on u.id = a.user_id
     where a.series_id = :series_id and a.ended_at is null and {CAN_BE_NOTIFIED}) c"""


def _may_see(is_private: str, group_id: str) -> str:
    """SQL condition: the candidate ``c`` sees a date for which these are SQL expressions. Nobody sees a private date
    outside of groups without being invited to it.
    """
    return f"""(c.is_invited = 1 or not ({is_private}) or exists (
        select 1 from group_members m where m.group_id = {group_id} and m.user_id = c.user_id
           and m.role in ({roles_sql(INSIDE)})))"""


_IS_PRIVATE: Final = """e.visibility = 'private'
    or exists (select 1 from groups pg where pg.id = e.group_id and pg.visibility = 'private')"""
_LACKS_RSVP: Final = f"""e.id in :incomplete and (c.with_limited = 1 or e.id not in :limited)
    and not exists (select 1 from attendances o where o.event_id = e.id and o.user_id = c.user_id)
    and {_may_see(_IS_PRIVATE, "e.group_id")}"""


def _values(series_id: str, incomplete: IncompleteDates) -> dict[str, object]:
    return {"series_id": series_id, "incomplete": incomplete.dates or [""], "limited": incomplete.limited or [""]}


def people_sql(series_id: str, incomplete: IncompleteDates) -> ParametrizedSelect:
    """SQL for the ``user_id`` of everyone who is expected on one of these dates."""
    sql = f"select c.user_id from {_CANDIDATES} where exists (select 1 from events e where {_LACKS_RSVP})"
    return sql, _values(series_id, incomplete)


def people_of_new_dates_sql(
    series_id: str, *, is_private: bool, group_id: str | None, has_limit: bool
) -> ParametrizedSelect:
    """SQL for the ``user_id`` of everyone who will be expected on dates that are not stored yet. ``has_limit``: these
    dates will have limited places.
    """
    sees = _may_see("cast(:is_private as integer) = 1", "cast(:group_id as text)")
    sql = f"select c.user_id from {_CANDIDATES} where {sees} {'and c.with_limited = 1' if has_limit else ''}"
    return sql, {"series_id": series_id, "is_private": int(is_private), "group_id": group_id}


async def people(
    reader: Reader, series_id: str, incomplete: IncompleteDates, *, after: UserId, until: UserId | None, limit: int
) -> list[UserId]:
    """Those of ``people_sql`` with ids greater than ``after``, and at most ``until`` if that is given, in order."""
    if not incomplete.dates:
        return []
    sql, values = people_sql(series_id, incomplete)
    rows = await reader.fetch(
        f"select distinct p.user_id from ({sql}) p where p.user_id > :after"
        f" {'' if until is None else 'and p.user_id <= :until'} order by p.user_id limit :limit",
        **values,
        **({} if until is None else {"until": until}),
        after=after,
        limit=limit,
    )
    return [UserId(row["user_id"]) for row in rows]


async def count(reader: Reader, event: Event, *, except_id: UserId) -> int:
    """How many people are expected on a date, without one person. None of them has an RSVP to it."""
    incomplete = await incomplete_among(reader, [event])
    if not incomplete.dates:
        return 0
    sql, values = people_sql(await series_of(reader, event.id) or "", incomplete)
    row = await reader.fetch_one(
        f"select count(distinct p.user_id) as number from ({sql}) p where p.user_id <> :except_id",
        **values,
        except_id=except_id,
    )
    return int(row["number"]) if row else 0


def dates_sql(series_id: str, incomplete: IncompleteDates, people: Collection[UserId]) -> ParametrizedSelect:
    """SQL for the pairs (``user_id``, ``event_id``) of these people and the dates on which each of them is expected."""
    sql = f"""
        select distinct c.user_id, e.id as event_id from {_CANDIDATES} join events e on {_LACKS_RSVP}
         where c.user_id in :expected"""
    return sql, {**_values(series_id, incomplete), "expected": sorted(people)}
