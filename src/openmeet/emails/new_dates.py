"""Dates of a series to which somebody goes, with the news that there are new ones: whoever goes to all of them has each in their calendar."""

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import queries as attendance
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.attendance.notify import IN_CALENDAR
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.series import date_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId

# A window has no more; what lies behind is in later letters.
MOST = 60


async def answered_dates(
    reader: Reader, series_id: SeriesId, user_id: UserId
) -> tuple[list[Event], dict[EventId, Attendance]]:
    """The coming dates that this person has answered and may see, in order, with their answers."""
    held = [one.event for one in await date_queries.stored(reader, series_id)]
    coming = [one for one in held if not (one.is_gone or one.is_cancelled or one.is_over(reader.now))]
    seen = await seen_by(reader, coming, user_id)
    mine = await attendance.of_user(reader, user_id, [one.id for one in coming])
    return [one for one in coming if one.id in seen and one.id in mine][:MOST], mine


async def gone_to(reader: Reader, event: Event, user_id: UserId) -> tuple[list[Event], dict[EventId, Attendance]]:
    """Those of the series of this event that belong into their calendar; all of them, so that a letter sent twice says the same."""
    if event.place_in_series is None:
        return [], {}
    dates, mine = await answered_dates(reader, SeriesId(event.place_in_series.series_id), user_id)
    return [one for one in dates if mine[one.id].status in IN_CALENDAR], mine
