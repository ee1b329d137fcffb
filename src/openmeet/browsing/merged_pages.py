"""What was merged into one's event from elsewhere: each decision with both versions, and two buttons to have it one's way."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidInput, Refused
from openmeet.browsing.merged_view import shown
from openmeet.events.model import EventSlug
from openmeet.ingestion import reviewing
from openmeet.ingestion.merge import Side
from openmeet.site.forms import read_form
from openmeet.site.frame import go, page
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of

CHOICES = {"yours": Side.OURS, "theirs": Side.THEIRS}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/merged", show_merged, methods=["GET"]),
        Route("/events/{slug}/merged", choose, methods=["POST"]),
    ]


async def show_merged(request: Request) -> Response:
    return await _merged_page(request)


async def choose(request: Request) -> Response:
    slug = EventSlug(request.path_params["slug"])
    typed = await read_form(request)
    choice = CHOICES.get(typed.get("keep", ""))
    if choice is None:
        raise InvalidInput("keep", "Choose one of: yours, theirs.")
    try:
        async with database_of(request).transaction() as tx:
            await reviewing.choose(
                tx,
                caller_of(request),
                slug,
                field=typed.get("field", ""),
                theirs_rev=typed.get("theirs_rev", ""),
                choice=choice,
            )
    except Refused as refused:
        return await _merged_page(request, problem=refused.why, status=422)
    return go(f"/events/{slug}/merged", said="choice_kept")


async def _merged_page(request: Request, *, problem: str = "", status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        event, found = await reviewing.merged(reader, caller_of(request), EventSlug(request.path_params["slug"]))
        decisions = [shown(one, event, reader.now) for one in found]
    return page(
        request, "browsing/merged.html", {"event": event, "decisions": decisions, "problem": problem}, status=status
    )
