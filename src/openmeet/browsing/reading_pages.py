"""How far the reading of one's own repository is: a page that brings itself up to date until all of it is here."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from openmeet.records import first_reads
from openmeet.series import detections
from openmeet.site.frame import page
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of


def routes() -> list[Route]:
    return [Route("/my/reading", show_reading, methods=["GET"])]


async def show_reading(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        reads = await first_reads.of_person(reader, caller.user_id)
        found = [one for one in await detections.of_person(reader, caller.user_id) if one.is_open]
    context = {
        "reads": reads,
        "is_done": all(one.is_done for one in reads),
        "found": len(found),
    }
    return page(request, "browsing/reading.html", context)
