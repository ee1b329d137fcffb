"""Answering from the event's page: one tap. Whoever is not signed in signs in and comes back to finish it."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound
from openmeet.attendance import actions, queries
from openmeet.attendance.model import Attendance, AttendanceStatus, Reply
from openmeet.debts import publications
from openmeet.events.model import EventSlug
from openmeet.events.queries import by_slug
from openmeet.site.forms import read_form
from openmeet.site.frame import go
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of, caller_or_none

_SAID = {
    AttendanceStatus.ATTENDING: "going",
    AttendanceStatus.ATTENDED: "going",
    AttendanceStatus.WAITLISTED: "waitlisted",
    AttendanceStatus.INTERESTED: "interested",
    AttendanceStatus.DECLINED: "declined",
}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/answer", answer, methods=["POST"]),
        Route("/events/{slug}/answer/publish", publish, methods=["POST"]),
        Route("/events/{slug}/answer/unpublish", take_back, methods=["POST"]),
    ]


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


async def publish(request: Request) -> Response:
    """Try to publish one's own answer now, after it was refused, disagreed or was taken back."""
    slug = EventSlug(request.path_params["slug"])
    async with database_of(request).transaction() as tx:
        mine = await _own_answer(tx, request, slug)
        await publications.try_again(tx, kind=publications.Kind.RSVP, subject_id=mine.id)
    return go(f"/events/{slug}", said="answer_tried")


async def take_back(request: Request) -> Response:
    """The answer stays here; its record leaves the repository."""
    slug = EventSlug(request.path_params["slug"])
    async with database_of(request).transaction() as tx:
        mine = await _own_answer(tx, request, slug)
        await publications.recall(tx, kind=publications.Kind.RSVP, subject_id=mine.id)
    return go(f"/events/{slug}", said="taken_back")


async def _own_answer(reader: Reader, request: Request, slug: EventSlug) -> Attendance:
    event = await by_slug(reader, slug)
    mine = None if event is None else await queries.find(reader, event.id, caller_of(request).user_id)
    if mine is None:
        raise NotFound("You have not answered to such an event.")
    return mine
