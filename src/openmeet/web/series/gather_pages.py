"""Pages that turn existing events into dates of a series. An event starts a new series or joins an existing one."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, PreconditionFailed, Refused
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from openmeet.domain.events import seeing
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.submissions import values_of_event
from openmeet.domain.series import actions, agenda, date_queries, gather
from openmeet.domain.series.model import Series, SeriesSlug, Timing
from openmeet.domain.series.reasons import SeriesReason
from openmeet.i18n import formatting
from openmeet.recurrence.wall_time import local_of
from openmeet.web.events.flash import flash_of_series
from openmeet.web.series import conflicts, recurrence_form, recurrence_preview, skipped_dates
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

# Maximum number of the host's own events offered, soonest first.
OFFERED = 50


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/repeat", show_repeat, methods=["GET"]),
        Route("/events/{slug}/repeat", repeat, methods=["POST"]),
        Route("/series/{slug}/add-event", show_add, methods=["GET"]),
        Route("/series/{slug}/add-event", add, methods=["POST"]),
    ]


async def show_repeat(request: Request) -> Response:
    event = await _own_event(request)
    return await _repeat_page(request, event, FormState({"ends_how": "never"}))


async def repeat(request: Request) -> Response:
    """Make the event the first date of a series. Its URL and RSVPs stay."""
    event = await _own_event(request)
    form = await read_form(request)
    if skipped_dates.is_pressed(form):
        return await _repeat_page(request, event, FormState(dict(form)))

    def timing(locked: Event) -> Timing:
        submitted = recurrence_form.submitted_timing(form, details_in(locked))
        if submitted is None:
            raise InvalidForm({"repeats": SeriesReason.HOW_OFTEN_NEEDED})
        if submitted != checked:
            raise PreconditionFailed(SeriesReason.EVENT_CHANGED_SINCE_OPENED)
        return submitted

    try:
        checked = await recurrence_preview.timing_of(request, form, details_in(event))
        async with database_of(request).transaction() as tx:
            series = await gather.begin_with(tx, caller_of(request), event.slug, timing)
            new_series = await actions.reread(tx, series.id)
    except InvalidForm as wrong:
        return await _repeat_page(request, event, form_with_problems(form, wrong), status=400)
    return go(
        f"/series/{quote(series.slug)}", flash=flash_of_series(new_series.visibility, is_hidden=new_series.is_hidden)
    )


async def show_add(request: Request) -> Response:
    viewer = caller_of(request).user_id
    async with database_of(request).reader() as reader:
        series = await agenda.find_for_host(reader, _slug(request), viewer)
        await agenda.require_editable(reader, series, viewer)
        return await _add_page(request, reader, series, EMPTY)


async def add(request: Request) -> Response:
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        series = await actions.lock_to_change(tx, caller_of(request), _slug(request))
        try:
            if not form.get("event"):
                raise InvalidForm({"event": SeriesReason.EVENT_NEEDED})  # noqa: TRY301  # said beside the field, as the refusal
            await gather.add(tx, caller_of(request), series, EventSlug(form["event"]))
        except InvalidForm as wrong:
            return await _add_page(request, tx, series, form_with_problems(form, wrong), status=400)
        except Refused as wrong:
            form_state = form_with_problems(form, InvalidForm({"event": wrong.why}))
            return await _add_page(request, tx, series, form_state, status=400)
    return go(f"/series/{quote(series.slug)}", flash="date_added")


async def _own_event(request: Request) -> Event:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await seeing.require_visible(
            reader, await by_slug(reader, EventSlug(request.path_params["slug"])), caller.user_id
        )
        await seeing.require_editable(reader, event, caller.user_id)
    if event.starts_at is None:
        raise Refused(SeriesReason.EVENT_WITHOUT_DATE, name="NoStart")
    if event.place_in_series is not None:
        raise Refused(SeriesReason.EVENT_IN_SERIES, name="InSeries")
    return event


async def _repeat_page(request: Request, event: Event, form_state: FormState, *, status: int = 200) -> Response:
    event_values = values_of_event(details_in(event))
    fixed = {name: event_values[name] for name in ("starts", "ends", "time_zone", "country")}
    values = {**form_state.values, **fixed}
    assert event.starts_at is not None  # noqa: S101  # asked by _own
    repeats = await recurrence_preview.form_state(request, values)
    context = {
        "event": event,
        "action": f"/events/{quote(event.slug)}/repeat",
        "typed": FormState(values, form_state.problems),
        "repeats": repeats,
        "clashes": await conflicts.in_form(request, values, repeats.meaning, first_event=event),
        "labels": recurrence_form.LABELS,
        "dates_from": recurrence_preview.path_for(event=event.slug),
        "when": _start_label(event),
    }
    return page(request, "series/repeat_event.html", context, status=status)


async def _add_page(
    request: Request, reader: Reader, series: Series, form_state: FormState, *, status: int = 200
) -> Response:
    group_id = None if series.group is None else series.group.id
    events = await date_queries.events_to_add(reader, caller_of(request).user_id, group_id, limit=OFFERED)
    context = {
        "series": series,
        "address": f"/series/{quote(series.slug)}",
        "offered": [(event.slug, event.title, _start_label(event)) for event in events],
        "typed": form_state,
    }
    return page(request, "series/add_event.html", context, status=status)


def _start_label(event: Event) -> str:
    assert event.starts_at is not None  # noqa: S101  # only such are offered
    starts = local_of(event.starts_at, event.time_zone)
    return formatting.day_and_time(f"{formatting.short_day(starts)} {starts.year}", starts)


def _slug(request: Request) -> SeriesSlug:
    return SeriesSlug(request.path_params["slug"])
