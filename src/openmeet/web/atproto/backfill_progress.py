"""Backfill progress of the caller's repositories, as JSON."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.http.json_bodies import json_response
from openmeet.domain.identities import backfill_progress
from openmeet.domain.series import detection_queries
from openmeet.i18n.reasons.messages import explain
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import page
from openmeet.web.site.tenant_routing import database_of


class BackfillOutput(msgspec.Struct, rename="camel"):
    """The backfill of one repository. ``applied`` of ``total`` records have been imported. ``reason`` says why the
    backfill is delayed. It is empty if there is no delay.

    ``putAside`` is the number of quarantined records. Only operators see why they were quarantined.
    """

    did: str
    handle: str
    stage: Literal["waiting", "reading", "applying", "delayed", "done"]
    total: int
    applied: int
    put_aside: int
    reason: str


class ReadingList(msgspec.Struct, rename="camel"):
    """Newest first; ``cursor`` is null on the last page."""

    readings: list[BackfillOutput]
    cursor: str | None


async def show_reading(request: Request) -> Response:
    caller, requested_page = caller_of(request), paging(request)
    async with database_of(request).reader() as reader:
        read = await backfill_progress.of_person(reader, caller.user_id, requested_page)
    progress, cursor = requested_page.cut(read, lambda one: (one.asked_at, one.did))
    return json_response(
        ReadingList(
            [
                BackfillOutput(
                    one.did, one.handle, one.stage.value, one.total, one.applied, one.put_aside, explain(one.reason)
                )
                for one in progress
            ],
            cursor,
        )
    )


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/me/reading",
        "showReading",
        "Progress of reading the caller’s repository after sign-in",
        show_reading,
        {200: ReadingList},
        parameters=(CURSOR, LIMIT),
    ),
)


def routes() -> list[Route]:
    return [Route("/my/reading", show_reading_page, methods=["GET"])]


async def show_reading_page(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        reads = await backfill_progress.of_person(reader, caller.user_id)
        detections = [one for one in await detection_queries.of_person(reader, caller.user_id) if one.is_open]
    context = {
        "reads": reads,
        "is_done": all(one.is_done for one in reads),
        "found": len(detections),
    }
    return page(request, "atproto/reading.html", context)
