"""The caller's repositories, on pages and as JSON: their records, moving them to the default repository, and the progress
of reading.
"""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidInput, NotFound, Refused
from groundwork.http.forms import EMPTY, FormState, read_form
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.identities import backfill_progress
from openmeet.domain.series import detection_queries, move_records
from openmeet.i18n.reasons.messages import explain
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PATH = "/settings/identity/move"
API_PATH = "/api/me/records"


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH, move, methods=["POST"]),
        Route("/my/reading", show_reading_page, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    return await _move_records_page(request, EMPTY)


async def move(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    try:
        source = move_records.parse_account(form.get("from", ""))
        async with database_of(request).transaction() as tx:
            started_move = await move_records.start_move(tx, caller.user_id, source)
    except (InvalidInput, NotFound, Refused) as wrong:
        status = 404 if isinstance(wrong, NotFound) else 422
        return await _move_records_page(request, FormState({}, {"": wrong.why}), status=status)
    return go(PATH, flash="records_moved" if started_move.events or started_move.series else "records_none_moved")


async def _move_records_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        counts_by_repository = await move_records.counts_by_repository(reader, caller.user_id)
    context = {
        "typed": form_state,
        "target": counts_by_repository[0] if counts_by_repository else None,
        "others": counts_by_repository[1:],
    }
    return page(request, "atproto/moving_records.html", context, status=status)


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


class AccountHeld(msgspec.Struct, rename="camel"):
    """One account of the caller. ``events`` and ``series`` count the records in its repository that this site wrote.
    New records go to the default account.

    ``isMoving`` means that its records are being moved to another account.
    """

    did: str
    handle: str
    is_default: bool
    events: int
    series: int
    is_moving: bool


class RecordsHeld(msgspec.Struct, rename="camel"):
    """The caller's accounts, the default first."""

    accounts: list[AccountHeld]


class MoveInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``did`` is the account to move the records from."""

    did: str


class RecordsMoved(msgspec.Struct, rename="camel"):
    """The number of objects that got a new record in the default account. The old records stay and link to the new
    ones.

    ``left`` is the number of events and series that are moved later, in the background. ``GET /api/me/records`` shows
    the progress.
    """

    events: int
    series: int
    left: int


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
    quarantined: int = msgspec.field(name="putAside")
    reason: str


class ReadingList(msgspec.Struct, rename="camel"):
    """The backfills that read the caller’s repositories, newest first. ``cursor`` is null on the last page."""

    readings: list[BackfillOutput]
    cursor: str | None


async def show_my_records(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        counts_by_repository = await move_records.counts_by_repository(reader, caller.user_id)
    return json_response(
        RecordsHeld(
            [
                AccountHeld(
                    one.identity.did, one.identity.handle or "", number == 0, one.events, one.series, one.is_moving
                )
                for number, one in enumerate(counts_by_repository)
            ]
        )
    )


async def move_my_records(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, MoveInput)
    source = move_records.parse_account(body.did)
    async with database_of(request).transaction() as tx:
        started_move = await move_records.start_move(tx, caller.user_id, source)
    return json_response(RecordsMoved(started_move.events, started_move.series, started_move.left))


async def show_reading(request: Request) -> Response:
    caller, requested_page = caller_of(request), paging(request)
    async with database_of(request).reader() as reader:
        read = await backfill_progress.of_person(reader, caller.user_id, requested_page)
    progress, cursor = requested_page.cut(read, lambda one: (one.asked_at, one.did))
    return json_response(
        ReadingList(
            [
                BackfillOutput(
                    one.did, one.handle, one.stage.value, one.total, one.applied, one.quarantined, explain(one.reason)
                )
                for one in progress
            ],
            cursor,
        )
    )


OPERATIONS = (
    ApiOperation(
        "GET",
        API_PATH,
        "showMyRecords",
        "The number of records in each of your repositories",
        show_my_records,
        {200: RecordsHeld},
    ),
    ApiOperation(
        "POST",
        f"{API_PATH}/move",
        "moveMyRecords",
        "Move published records to the account for new records",
        move_my_records,
        {200: RecordsMoved},
        MoveInput,
        failures=(404, 422),
        is_idempotent=True,
    ),
    ApiOperation(
        "GET",
        "/api/me/reading",
        "showReading",
        "Progress of reading your repository after sign-in",
        show_reading,
        {200: ReadingList},
        parameters=(CURSOR, LIMIT),
    ),
)
