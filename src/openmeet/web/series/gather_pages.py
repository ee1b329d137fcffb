"""Pages that turn existing events into dates of a series. An event starts a new series or joins an existing one, and users
accept or refuse series that were detected among their single events, on a page and as JSON.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, InvalidInput, NotFound, PreconditionFailed, Refused
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.events import event_access
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.submissions import values_of_event
from openmeet.domain.page_paths import event_path, series_path
from openmeet.domain.series import actions, agenda, date_queries, detection_actions, detection_queries, existing_events
from openmeet.domain.series.dates import original_text
from openmeet.domain.series.detection_queries import Detection, DetectionId
from openmeet.domain.series.model import Series, Timing
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.validation import GeneralReason
from openmeet.i18n import formatting
from openmeet.recurrence import describe, expansion
from openmeet.recurrence import describe as sentence
from openmeet.recurrence.rule import format_rule
from openmeet.recurrence.structured import plain_choices
from openmeet.recurrence.wall_time import instant_of, local_of
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.events.flash import flash_of_series
from openmeet.web.media.subject import subject_of_event
from openmeet.web.series import recurrence_form, recurrence_preview
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of, series_slug_of
from openmeet.web.site.tenant_routing import database_of

# Maximum number of the host's own events offered, soonest first.
OFFERED = 50
# Maximum number of dates listed on the page. Further ones are counted.
SHOWN_DATES = 6
_NEXT = 3
# Keys: whether dates with RSVPs stay, and whether a part of the series that has another host stays.
_FLASH_OF_UNDO = {
    (False, False): "detection_undone",
    (True, False): "detection_undone_answered",
    (False, True): "detection_undone_given_away",
    (True, True): "detection_undone_answered_given_away",
}
State = Literal["suggested", "linked", "accepted", "refused"]


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/repeat", show_repeat, methods=["GET"]),
        Route("/events/{slug}/repeat", repeat, methods=["POST"]),
        Route("/series/{slug}/add-event", show_add, methods=["GET"]),
        Route("/series/{slug}/add-event", add, methods=["POST"]),
        Route("/my/series/found", show_found, methods=["GET"]),
        Route("/my/series/found/{detection}", answer_detected, methods=["POST"]),
    ]


async def show_repeat(request: Request) -> Response:
    event = await _own_event(request)
    likeliest = plain_choices(datetime.fromisoformat(details_in(event).starts_local))[0]
    return await _repeat_page(request, event, FormState({"repeats": str(likeliest), "ends_how": "never"}))


async def repeat(request: Request) -> Response:
    """Make the event the first date of a series. Its URL and RSVPs stay."""
    event = await _own_event(request)
    form = await read_form(request)
    if recurrence_form.is_preview_pressed(form):
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
            series = await existing_events.start_series_with(tx, caller_of(request), event.slug, timing)
            new_series = await actions.reread(tx, series.id)
    except InvalidForm as wrong:
        return await _repeat_page(request, event, form_with_problems(form, wrong), status=400)
    return go(series_path(series.slug), flash=flash_of_series(new_series.visibility, is_hidden=new_series.is_hidden))


async def show_add(request: Request) -> Response:
    viewer = caller_of(request).user_id
    async with database_of(request).reader() as reader:
        series = await agenda.find_for_host(reader, series_slug_of(request), viewer)
        await agenda.require_editable(reader, series, viewer)
        return await _add_page(request, reader, series, EMPTY)


async def add(request: Request) -> Response:
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        series = await actions.lock_to_change(tx, caller_of(request), series_slug_of(request))
        try:
            if not form.get("event"):
                raise InvalidForm({"event": SeriesReason.EVENT_NEEDED})  # noqa: TRY301  # said beside the field, as the refusal
            await existing_events.add(tx, caller_of(request), series, EventSlug(form["event"]))
        except InvalidForm as wrong:
            return await _add_page(request, tx, series, form_with_problems(form, wrong), status=400)
        except Refused as wrong:
            form_state = form_with_problems(form, InvalidForm({"event": wrong.why}))
            return await _add_page(request, tx, series, form_state, status=400)
    return go(series_path(series.slug), flash="date_added")


async def show_found(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        detections = await detection_queries.of_person(reader, caller.user_id)
        context = {
            "asked": await _detected_rows(reader, [one for one in detections if one.is_open]),
            "decided": await _detected_rows(reader, [one for one in detections if not one.is_open]),
        }
    return page(request, "series/found.html", context)


async def answer_detected(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    detection_id = DetectionId(request.path_params["detection"])
    async with database_of(request).transaction() as tx:
        match form.get("does", ""):
            case "accept":
                await detection_actions.accept(tx, caller, detection_id)
                flash = "detection_accepted"
            case "refuse":
                await detection_actions.refuse(tx, caller, detection_id)
                flash = "detection_refused"
            case "undo":
                undone = await detection_actions.undo(tx, caller, detection_id)
                flash = _FLASH_OF_UNDO[undone.keeps_answered, undone.keeps_others]
            case _:
                raise InvalidInput("does", GeneralReason.CHOOSE_ONE, choices="accept, refuse, undo")
    return go("/my/series/found", flash=flash)


async def _own_event(request: Request) -> Event:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await event_access.require_visible(
            reader, await by_slug(reader, event_slug_of(request)), caller.user_id
        )
        await event_access.require_editable(reader, event, caller.user_id)
    if event.starts_at is None:
        raise Refused(SeriesReason.EVENT_WITHOUT_DATE, name="NoStart")
    if event.position_in_series is not None:
        raise Refused(SeriesReason.EVENT_IN_SERIES, name="InSeries")
    return event


async def _repeat_page(request: Request, event: Event, form_state: FormState, *, status: int = 200) -> Response:
    event_values = values_of_event(details_in(event))
    fixed = {name: event_values[name] for name in ("starts", "ends", "time_zone", "country")}
    values = {**form_state.values, **fixed}
    assert event.starts_at is not None  # noqa: S101  # asked by ``_own_event``
    repeats = await recurrence_preview.form_state(request, values)
    context = {
        "event": event,
        "action": f"{event_path(event.slug)}/repeat",
        "typed": FormState(values, form_state.problems),
        "repeats": await recurrence_preview.with_conflicts(request, values, repeats, first_event=event),
        "labels": recurrence_form.LABELS,
        "dates_from": recurrence_preview.path_for(event=event.slug),
        "subject": subject_of_event(event, services(request).clock.now()),
        "has_fixed_start": True,
    }
    return page(request, "series/repeat_event.html", context, status=status)


async def _add_page(
    request: Request, reader: Reader, series: Series, form_state: FormState, *, status: int = 200
) -> Response:
    group_id = None if series.group is None else series.group.id
    events = await date_queries.events_to_add(reader, caller_of(request).user_id, group_id, limit=OFFERED)
    context = {
        "series": series,
        "address": series_path(series.slug),
        "offered": [(event.slug, event.title, _start_label(event)) for event in events],
        "typed": form_state,
    }
    return page(request, "series/add_event.html", context, status=status)


def _start_label(event: Event) -> str:
    assert event.starts_at is not None  # noqa: S101  # only such are offered
    starts = local_of(event.starts_at, event.time_zone)
    return formatting.day_and_time(formatting.short_date(starts), starts)


async def _detected_rows(reader: Reader, detections: Sequence[Detection]) -> list[dict[str, object]]:
    return [_detected_row(*detected, reader.now) for detected in await detection_actions.titles_for(reader, detections)]


def _detected_row(detection: Detection, title: str, series: Series | None, now: Instant) -> dict[str, object]:
    detected_series = detection.found
    last = instant_of(detected_series.dates[-1][1], detected_series.zone_name)
    ahead = expansion.following(detected_series.pattern, Instant(max(last + 1, now)), _NEXT)
    return {
        "id": detection.id,
        "state": detection.state,
        "title": title,
        "sentence": describe.describe(detected_series.pattern),
        "is_certain": detection.is_certain,
        "is_named": detected_series.is_named,
        "number": len(detected_series.dates),
        "dates": [formatting.short_day(at) for _, at in detected_series.dates[-SHOWN_DATES:]],
        "earlier": max(0, len(detected_series.dates) - SHOWN_DATES),
        "missing": [formatting.short_day(at) for at in detected_series.missing[-SHOWN_DATES:]],
        "ahead": [formatting.short_day(local_of(detection.at, detected_series.zone_name)) for detection in ahead],
        "zone": formatting.zone_label(local_of(last, detected_series.zone_name), detected_series.zone_name),
        "path": series_path(series.slug) if series is not None and series.deleted_at is None else "",
    }


class DetectedSeriesOutput(msgspec.Struct, rename="camel"):
    """Single events that look like dates of one series. ``confidencePercent`` says how likely that is. ``exdates`` are
    dates of the rule that have no event.

    ``rule`` is empty if the records themselves name one series and no rule fits its dates.

    ``state`` is ``linked`` if the events are already shown together, and ``suggested`` if not. No further dates are
    created before the author accepts. ``slug`` is the slug of the series, if there is one.
    """

    id: str
    state: State
    title: str
    rule: str
    sentence: str
    time_zone: str
    confidence_percent: int
    dates: list[str]
    exdates: list[str]
    slug: str | None


class FoundList(msgspec.Struct, rename="camel"):
    """Detected series, highest confidence first. ``cursor`` is null on the last page."""

    found: list[DetectedSeriesOutput]
    cursor: str | None = None


class FoundAnswer(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``accept`` creates a series with this rule. ``refuse`` keeps single events, and the question is not asked again.

    ``undo`` reverts the decision, even if the series was split since. Dates with RSVPs stay, and so do parts that now
    have another host.
    """

    answer: Literal["accept", "refuse", "undo"]


async def list_found(request: Request) -> Response:
    caller = caller_of(request)
    page = paging(request)
    async with database_of(request).reader() as reader:
        rows = await detection_queries.of_person(reader, caller.user_id, page)
        detected, cursor = page.cut(rows, lambda one: one.sort_key)
        outputs = [_detected_output(*one) for one in await detection_actions.titles_for(reader, detected)]
    return json_response(FoundList(outputs, cursor))


async def answer_found(request: Request) -> Response:
    caller = caller_of(request)
    detection_id = DetectionId(request.path_params["id"])
    body = await read_json(request, FoundAnswer)
    does = {"accept": detection_actions.accept, "refuse": detection_actions.refuse, "undo": detection_actions.undo}[
        body.answer
    ]
    async with database_of(request).transaction() as tx:
        await does(tx, caller, detection_id)
        detection = await detection_queries.find(tx, detection_id, caller.user_id)
        if detection is None:
            raise NotFound(SeriesReason.NOT_DETECTED)
        (detected,) = await detection_actions.titles_for(tx, [detection])
        shown = _detected_output(*detected)
    return json_response(shown)


def _detected_output(detection: Detection, title: str, series: Series | None) -> DetectedSeriesOutput:
    return DetectedSeriesOutput(
        id=detection.id,
        state=detection.state.value,
        title=title,
        rule=format_rule(detection.found.rule) if detection.found.rule else "",
        sentence=sentence.describe(detection.found.pattern),
        time_zone=detection.found.zone_name,
        confidence_percent=round(detection.found.confidence * 100),
        dates=[original_text(at) for _, at in detection.found.dates],
        exdates=[original_text(at) for at in detection.found.missing],
        slug=None if series is None or series.deleted_at is not None else series.slug,
    )


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/me/series-found",
        "listSeriesFound",
        "Series detected among your single events from other apps",
        list_found,
        {200: FoundList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "POST",
        "/api/me/series-found/{id}",
        "answerSeriesFound",
        "Accept or reject a detected series, or undo that decision",
        answer_found,
        {200: DetectedSeriesOutput},
        FoundAnswer,
        failures=(404, 422),
    ),
)
