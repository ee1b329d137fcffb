"""Series detected among the caller's single events, as JSON, and the caller's decision about them."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.series import detection_actions, detection_queries
from openmeet.domain.series.dates import original_text
from openmeet.domain.series.detection_queries import Detection, DetectionId
from openmeet.domain.series.model import Series
from openmeet.domain.series.reasons import SeriesReason
from openmeet.recurrence import describe as sentence
from openmeet.recurrence.rule import format_rule
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of

State = Literal["suggested", "linked", "accepted", "refused"]


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
        "Series detected among the caller’s single events from other apps",
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
