"""The user's repositories: move published records to another of their accounts, and the progress of reading."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidInput, NotFound, Refused
from groundwork.http.forms import EMPTY, FormState, read_form
from openmeet.domain.identities import backfill_progress
from openmeet.domain.series import detection_queries, move_records
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PATH = "/settings/identity/move"


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
