"""The viewer's calendar conflicts with a series that they are about to create or edit."""

from collections.abc import Mapping
from datetime import timedelta

from starlette.requests import Request

from groundwork.clock import HOUR, Instant
from groundwork.errors import InvalidInput
from openmeet.domain.calendars.entries import conflicts
from openmeet.domain.calendars.model import Span
from openmeet.domain.events.all_day import at_midnight
from openmeet.domain.events.model import Event
from openmeet.domain.series import date_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.series.preview import RuleSummary
from openmeet.recurrence.wall_time import parse_local
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.tenant_routing import database_of


async def in_form(
    request: Request,
    form: Mapping[str, str],
    meaning: RuleSummary | None,
    *,
    edited_series: SeriesId | None = None,
    first_event: Event | None = None,
) -> list[str]:
    """The viewer's conflict at each date that a form previews, as text. Empty for dates without a conflict.

    ``edited_series`` is the series that is edited. ``first_event`` is the event that becomes the first date.
    """
    caller = caller_or_none(request)
    if caller is None or meaning is None:
        return []
    length = _date_length(form) // timedelta(microseconds=1) or HOUR
    times = [Span(one.at, Instant(one.at + length)) for one in meaning.dates]
    async with database_of(request).reader() as reader:
        own_events = [] if first_event is None else [first_event]
        own_events += (
            [] if edited_series is None else [one.event for one in await date_queries.stored(reader, edited_series)]
        )
        clashes = await conflicts(reader, caller.user_id, times)
    own_ids = {event.id for event in own_events}
    # A calendar feed that the viewer subscribes to may contain copies of these events.
    copies = {(event.title, event.starts_at) for event in own_events}
    return [
        next((one.title for one in some if one.key not in own_ids and (one.title, one.starts_at) not in copies), "")
        for some in clashes
    ]


def _date_length(form: Mapping[str, str]) -> timedelta:
    """The duration of each date, as typed. Zero if the end is invalid."""
    starts, ends = form.get("starts", ""), form.get("ends", "")
    try:
        if form.get("all_day"):
            # The last day is included. If it is missing, it equals the first day.
            first, last = at_midnight(starts), at_midnight(ends or starts)
            return max(parse_local(last, "ends") - parse_local(first, "starts"), timedelta()) + timedelta(days=1)
        length = parse_local(ends, "ends") - parse_local(starts, "starts")
    except InvalidInput:
        return timedelta()
    return max(length, timedelta())
