"""Answering from the event's page: one tap. Whoever is not signed in signs in and comes back to finish it."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidInput
from openmeet.attendance import actions
from openmeet.attendance.model import AttendanceStatus, Reply
from openmeet.events.model import EventSlug
from openmeet.site.forms import read_form
from openmeet.site.frame import go
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_or_none

_SAID = {
    AttendanceStatus.ATTENDING: "going",
    AttendanceStatus.ATTENDED: "going",
    AttendanceStatus.WAITLISTED: "waitlisted",
    AttendanceStatus.INTERESTED: "interested",
    AttendanceStatus.DECLINED: "declined",
}


def routes() -> list[Route]:
    return [Route("/events/{slug}/answer", answer, methods=["POST"])]


async def answer(request: Request) -> Response:
    slug = EventSlug(request.path_params["slug"])
    typed = await read_form(request)
    try:
        reply = Reply(typed.get("reply", ""))
    except ValueError:
        raise InvalidInput("reply", "Choose one of: going, interested, declined.") from None
    caller = caller_or_none(request)
    if caller is None:
        back = quote(f"/events/{quote(slug)}?reply={reply.value}", safe="")
        return go(f"/sign-in?next={back}")
    async with database_of(request).transaction() as tx:
        saved = await actions.answer(tx, caller, slug, reply)
    return go(f"/events/{slug}", said=_SAID.get(saved.status, ""))
