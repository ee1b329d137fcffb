"""Expected RSVPs: those that a job has still to add to new dates of a series (``new_date_rsvps``).

If such a date is cancelled meanwhile, the people with a standing RSVP and those who are invited to all dates are notified
like its attendees. The queries leave out everyone who already has an RSVP to the date.
"""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from groundwork.database.transaction import Reader
from groundwork.outbox import jobs
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.queries import CAN_BE_NOTIFIED
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.series import follower_queries
from openmeet.domain.series.follower_queries import Part
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import JobKind


class IncompleteDates(msgspec.Struct, frozen=True):
    """Dates to which a job has still to add RSVPs. ``limited``: those of them with limited places, to which not every
    standing RSVP applies.
    """

    dates: list[EventId] = []
    limited: list[EventId] = []


NONE: Final = IncompleteDates()


async def incomplete_among(reader: Reader, events: Sequence[Event]) -> IncompleteDates:
    """Return which of these dates are incomplete."""
    ids = await jobs.uncompleted_among(reader, JobKind.NEW_DATE, [event.id for event in events])
    incomplete = [event for event in events if event.id in ids]
    if not incomplete:
        return NONE
    limited = await registration.limited_among(reader, incomplete)
    return IncompleteDates([event.id for event in incomplete], sorted(limited))


def _candidates(series: Series) -> Part:
    """People to whom a job adds RSVPs. A person can be there twice: invited, and with a standing RSVP."""
    going, values = follower_queries.standing_rsvps_to_apply_sql(series)
    sql = f"""(
        {going}
        union all
        select a.user_id, 1 from event_series_invitations a join users u on u.id = a.user_id
         where a.series_id = :series_id and a.ended_at is null and {CAN_BE_NOTIFIED}) c"""
    return sql, values


_LACKS_RSVP: Final = """e.id in :incomplete and (c.with_limited = 1 or e.id not in :limited)
    and not exists (select 1 from attendances o where o.event_id = e.id and o.user_id = c.user_id)"""


def _values(incomplete: IncompleteDates) -> dict[str, object]:
    return {"incomplete": incomplete.dates or [""], "limited": incomplete.limited or [""]}


def people_sql(series: Series, incomplete: IncompleteDates) -> Part:
    """SQL for the ``user_id`` of everyone who is expected on one of these dates."""
    candidates, values = _candidates(series)
    sql = f"select c.user_id from {candidates} where exists (select 1 from events e where {_LACKS_RSVP})"
    return sql, {**values, **_values(incomplete)}


def people_of_new_dates_sql(series: Series, *, has_limit: bool) -> Part:
    """SQL for the ``user_id`` of everyone who will be expected on dates that are not stored yet. ``has_limit``: these
    dates will have limited places.
    """
    candidates, values = _candidates(series)
    return f"select c.user_id from {candidates} {'where c.with_limited = 1' if has_limit else ''}", values


async def people(
    reader: Reader, series: Series, incomplete: IncompleteDates, *, after: UserId, until: UserId | None, limit: int
) -> list[UserId]:
    """Those of ``people_sql`` with ids greater than ``after``, and at most ``until`` if that is given, in order."""
    if not incomplete.dates:
        return []
    sql, values = people_sql(series, incomplete)
    rows = await reader.fetch(
        f"select distinct p.user_id from ({sql}) p where p.user_id > :after"
        f" {'' if until is None else 'and p.user_id <= :until'} order by p.user_id limit :limit",
        **values,
        **({} if until is None else {"until": until}),
        after=after,
        limit=limit,
    )
    return [UserId(row["user_id"]) for row in rows]


def dates_sql(series: Series, incomplete: IncompleteDates, people: Collection[UserId]) -> Part:
    """SQL for the pairs (``user_id``, ``event_id``) of these people and the dates on which each of them is expected."""
    candidates, values = _candidates(series)
    sql = f"""
        select distinct c.user_id, e.id as event_id from {candidates} join events e on {_LACKS_RSVP}
         where c.user_id in :expected"""
    return sql, {**values, **_values(incomplete), "expected": sorted(people)}
