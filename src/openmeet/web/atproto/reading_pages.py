"""How far the reading of one's own repository is: a page that brings itself up to date until all of it is here."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from openmeet.domain.identities import backfill_progress
from openmeet.domain.series import detection_queries
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import page
from openmeet.web.site.tenant_routing import database_of


def routes() -> list[Route]:
    return [Route("/my/reading", show_reading, methods=["GET"])]


async def show_reading(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        reads = await backfill_progress.of_person(reader, caller.user_id)
        found = [one for one in await detection_queries.of_person(reader, caller.user_id) if one.is_open]
    context = {
        "reads": reads,
        "is_done": all(one.is_done for one in reads),
        "found": len(found),
    }
    return page(request, "atproto/reading.html", context)
