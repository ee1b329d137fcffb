"""Series detected among a user's single events: accept or refuse one, or undo that decision."""

from collections.abc import Sequence
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.http.forms import read_form
from openmeet.domain.series import detection_actions, detection_queries
from openmeet.domain.series.detection_queries import Detection, DetectionId
from openmeet.domain.series.model import Series
from openmeet.i18n import formatting
from openmeet.recurrence import describe, expansion
from openmeet.recurrence.wall_time import instant_of, local_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

# Maximum number of dates listed on the page. Further ones are counted.
SHOWN = 6
_NEXT = 3

# Keys: whether dates with RSVPs stay, and whether a part of the series that has another host stays.
_FLASH_OF_UNDO = {
    (False, False): "detection_undone",
    (True, False): "detection_undone_answered",
    (False, True): "detection_undone_given_away",
    (True, True): "detection_undone_answered_given_away",
}


def routes() -> list[Route]:
    return [
        Route("/my/series/found", show_found, methods=["GET"]),
        Route("/my/series/found/{detection}", answer_detected, methods=["POST"]),
    ]


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
    does = form.get("does", "")
    async with database_of(request).transaction() as tx:
        if does == "accept":
            await detection_actions.accept(tx, caller, detection_id)
            flash = "detection_accepted"
        elif does == "refuse":
            await detection_actions.refuse(tx, caller, detection_id)
            flash = "detection_refused"
        else:
            undone = await detection_actions.undo(tx, caller, detection_id)
            flash = _FLASH_OF_UNDO[undone.keeps_answered, undone.keeps_others]
    return go("/my/series/found", flash=flash)


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
        "dates": [formatting.short_day(at) for _, at in detected_series.dates[-SHOWN:]],
        "earlier": max(0, len(detected_series.dates) - SHOWN),
        "missing": [formatting.short_day(at) for at in detected_series.missing[-SHOWN:]],
        "ahead": [formatting.short_day(local_of(detection.at, detected_series.zone_name)) for detection in ahead],
        "zone": formatting.zone_label(local_of(last, detected_series.zone_name), detected_series.zone_name),
        "path": f"/series/{quote(series.slug)}" if series is not None and series.deleted_at is None else "",
    }
