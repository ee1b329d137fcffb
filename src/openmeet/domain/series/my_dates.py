"""How one person's answers to the coming stored dates of series stand, in numbers. Callers have checked that they may see the series."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import queries as attendance
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import SEATED, Attendance, AttendanceStatus
from openmeet.domain.attendance.registration import DEFAULT
from openmeet.domain.attendance.rules import is_invited
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.seeing import seen
from openmeet.domain.series import date_queries
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.users.model import UserId

_ANSWERED = (*SEATED, AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING, AttendanceStatus.DECLINED)


@dataclass(frozen=True, slots=True)
class MyDates:
    """Coming dates that take place and that the person may see, by what they said to them.

    ``limited``: dates with limited places that they have not answered; ``unanswered``: the other dates that they have not answered.
    """

    dates: int = 0
    going: int = 0
    waitlisted: int = 0
    pending: int = 0
    limited: int = 0
    unanswered: int = 0


async def of_series(reader: Reader, series_ids: Sequence[SeriesId], viewer: UserId) -> dict[SeriesId, MyDates]:
    """The numbers of each series; of a series without coming dates, zeros."""
    held = [event for event in await date_queries.coming_of(reader, series_ids) if not event.is_cancelled]
    mine = await attendance.of_user(reader, viewer, [event.id for event in held])
    invited = {event_id for event_id, answer in mine.items() if is_invited(answer)}
    lines: dict[str, list[tuple[Event, Attendance | None]]] = {}
    for event in await seen(reader, held, viewer, invited):
        if event.place_in_series is not None:
            lines.setdefault(event.place_in_series.series_id, []).append((event, mine.get(event.id)))
    limited = await registration.limited_among(reader, [event for some in lines.values() for event, _ in some])
    return {series_id: _counted(lines.get(series_id, []), limited) for series_id in series_ids}


async def limits_new_dates(reader: Reader, series: Series) -> bool:
    """Whether dates that the series makes later have limited places."""
    joining = await registration.of_subject(reader, series.id) or DEFAULT
    return joining.has_limit(series.template.capacity, series.template.mode)


def _counted(lines: Sequence[tuple[Event, Attendance | None]], limited_ids: Collection[EventId]) -> MyDates:
    statuses = [None if answer is None else answer.status for _, answer in lines]
    # Said nothing that counts yet: no answer at all, an invitation, or only interest.
    still_open = [event for event, answer in lines if answer is None or answer.status not in _ANSWERED]
    limited = sum(event.id in limited_ids for event in still_open)
    return MyDates(
        dates=len(lines),
        going=sum(status in SEATED for status in statuses),
        waitlisted=statuses.count(AttendanceStatus.WAITLISTED),
        pending=statuses.count(AttendanceStatus.PENDING),
        limited=limited,
        unanswered=len(still_open) - limited,
    )
