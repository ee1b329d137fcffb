"""Preview of a form's dates while somebody types, and the viewer's calendar conflicts with them. Rules are expanded in
worker processes and counted per client, because a rule can take a third of a second.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import HOUR, Instant
from groundwork.errors import InvalidForm, InvalidInput, TooLarge, TooMany, Unavailable
from groundwork.http.forms import FormState
from groundwork.workers.pool import ChargedPool
from openmeet.domain.calendars.entries import conflicts
from openmeet.domain.calendars.model import Span
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.all_day import at_midnight
from openmeet.domain.events.model import Details, Event, EventSlug
from openmeet.domain.series import date_queries, queries
from openmeet.domain.series.model import SeriesId, SeriesSlug, Timing
from openmeet.domain.series.preview import summary_of
from openmeet.domain.series.reasons import SeriesReason
from openmeet.i18n.catalogue import current
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.wall_time import parse_local
from openmeet.web.series import recurrence_form
from openmeet.web.series.recurrence_form import RecurrenceFormState
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.layout import page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of, workers_of_anybody

NOT_SHOWN = SeriesReason.DATES_NOT_SHOWN
NOT_CHECKED = SeriesReason.DATES_NOT_CHECKED
PATH = "/recurrence/preview"


async def form_state(request: Request, form: Mapping[str, str], *, may_skip: bool = True) -> RecurrenceFormState:
    """``recurrence_form.form_state``, without dates if no worker is free. Must not be called inside a transaction."""
    now = services(request).clock.now()
    if not form.get("repeats"):
        return recurrence_form.form_state(form, now, may_skip=may_skip)
    work = partial(recurrence_form.localized_form_state, current().tag, dict(form), now, may_skip=may_skip)
    try:
        return await _workers(request).run(work)
    except (TooMany, TooLarge, Unavailable):
        return recurrence_form.form_state(form, now, may_skip=may_skip, message=NOT_SHOWN)


async def timing_of(request: Request, form: Mapping[str, str], details: Details) -> Timing | None:
    """``recurrence_form.submitted_timing``, which also checks that the rule has dates. Raises InvalidForm. Must not be
    called inside a transaction.
    """
    timing = recurrence_form.submitted_timing(form, details)
    if timing is None:
        return None
    try:
        await _workers(request).run(partial(summary_of, timing, details.starts_at, 1))
    except RuleRefused as wrong:
        raise InvalidForm({"repeats": wrong.why}) from None
    except (TooMany, TooLarge, Unavailable):
        raise InvalidForm({"repeats": NOT_CHECKED}) from None
    return timing


async def with_conflicts(
    request: Request,
    form: Mapping[str, str],
    state: RecurrenceFormState,
    *,
    edited_series: SeriesId | None = None,
    first_event: Event | None = None,
) -> RecurrenceFormState:
    """The state of the form with the viewer's conflicts at its dates.

    ``edited_series`` is the series that is edited. ``first_event`` is the event that becomes the first date.
    """
    caller = caller_or_none(request)
    if caller is None or state.meaning is None:
        return state
    length = _date_length(form) // timedelta(microseconds=1) or HOUR
    times = [Span(one.at, Instant(one.at + length)) for one in state.meaning.dates]
    async with database_of(request).reader() as reader:
        own_events = [] if first_event is None else [first_event]
        own_events += (
            [] if edited_series is None else [one.event for one in await date_queries.stored(reader, edited_series)]
        )
        entries = await conflicts(reader, caller.user_id, times)
    own_ids = {event.id for event in own_events}
    # A calendar feed that the viewer subscribes to may contain copies of these events.
    copies = {(event.title, event.starts_at) for event in own_events}
    clashes = [
        next((one.title for one in some if one.key not in own_ids and (one.title, one.starts_at) not in copies), "")
        for some in entries
    ]
    return replace(state, clashes=clashes)


def routes() -> list[Route]:
    return [Route(PATH, show, methods=["GET"])]


def path_for(*, event: str = "", series: str = "") -> str:
    """The URL from which a form fetches its dates. ``event`` or ``series`` is the slug of the object that it edits."""
    about = {name: slug for name, slug in (("event", event), ("series", series)) if slug}
    return f"{PATH}?{urlencode(about)}" if about else PATH


async def show(request: Request) -> Response:
    """An HTML fragment: the recurrence part of a form with its next dates. The query contains the fields of the form.

    ``event`` or ``series`` in the query is the slug of the object that the form edits. That object is left out of the
    conflicts.
    """
    form = dict(request.query_params)
    # Dates of an existing series cannot be skipped. They are cancelled one by one, and attendees are notified.
    repeats = await form_state(request, form, may_skip=not form.get("series"))
    first = series_id = None
    if repeats.meaning is not None and (form.get("event") or form.get("series")):
        async with database_of(request).reader() as reader:
            first = await event_queries.by_slug(reader, EventSlug(form.get("event", "")))
            series = await queries.by_slug(reader, SeriesSlug(form.get("series", "")))
        series_id = None if series is None else series.id
    repeats = await with_conflicts(request, form, repeats, edited_series=series_id, first_event=first)
    context = {"typed": FormState(form), "repeats": repeats, "action": "", "dates_from": ""}
    return page(request, "series/repeats.html", context)


def _workers(request: Request) -> ChargedPool:
    caller = caller_or_none(request)
    return workers_of_anybody(request) if caller is None else workers_of(request, caller.user_id)


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
