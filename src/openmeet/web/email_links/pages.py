"""Pages behind links in e-mails: RSVP and unsubscribe without signing in.

The token is the only credential. No cookie is read, so cross-site requests carry no authority, and a mail program may
post from anywhere (RFC 8058). Showing a page changes nothing, because mail servers open links before people do.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, InvalidInput, NotFound
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, RsvpReply, Through
from openmeet.domain.attendance.queries import find as answer_of
from openmeet.domain.attendance.registration import of_event as joining_of
from openmeet.domain.attendance.rules import is_invited
from openmeet.domain.attendance.waitlist import before
from openmeet.domain.events.disclosure import PrivateDetails
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.seeing import may_see, private_details_for
from openmeet.domain.events.time_words import join_from_words
from openmeet.domain.failure_names import INVALID_LINK
from openmeet.domain.notifications import links
from openmeet.domain.notifications.links import EmailLink, LinkPurpose
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.emails.notifications.items import when_words
from openmeet.emails.rsvp_confirmation import stands_words
from openmeet.emails.unsubscribe import stop, stopped_words
from openmeet.web.attendance.forms import fields_of, values_of, wishes_of
from openmeet.web.check_in.pages import ticket_page
from openmeet.web.site.forms import Typed, read_form, typed_again
from openmeet.web.site.layout import page
from openmeet.web.site.tenant_routing import database_of

_MEANT = {
    RsvpReply.GOING: {AttendanceStatus.ATTENDING, AttendanceStatus.ATTENDED, AttendanceStatus.WAITLISTED},
    RsvpReply.INTERESTED: {AttendanceStatus.INTERESTED},
    RsvpReply.DECLINED: {AttendanceStatus.DECLINED},
}
_REPLIES = {RsvpReply.GOING: "Going", RsvpReply.INTERESTED: "Interested", RsvpReply.DECLINED: "Not going"}

# The URL is a secret: no cache and no search engine may keep it.
_HEADERS = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}


def routes() -> list[Route]:
    """Routes without a viewer and without an origin check."""
    return [
        Route("/mail/answer/{token}", show_answer, methods=["GET"]),
        Route("/mail/answer/{token}", answer, methods=["POST"]),
        Route("/mail/ticket/{token}", show_ticket, methods=["GET"]),
        Route("/mail/stop/{token}", show_stop, methods=["GET"]),
        Route("/mail/stop/{token}", stop_now, methods=["POST"]),
    ]


async def show_answer(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        link, event = await _answerable(reader, request)
        mine = await answer_of(reader, event.id, link.user_id)
        return await _answer_page(reader, request, event, link.user_id, mine)


async def answer(request: Request) -> Response:
    """RSVP as the recipient of the e-mail, to this event only, including the host's questions."""
    typed = await read_form(request)
    try:
        reply = RsvpReply(typed.get("reply", ""))
    except ValueError:
        raise InvalidInput("reply", "Choose one of: going, interested, declined.") from None
    try:
        async with database_of(request).transaction() as tx:
            link, event = await _answerable(tx, request)
            user = await user_by_id(tx, link.user_id)
            if user is None:
                raise NotFound(_INVALID, name=INVALID_LINK)
            mine = await answer_of(tx, event.id, link.user_id)
            wishes = wishes_of(typed, fields_of(event, await joining_of(tx, event), mine))
            caller = Caller(user.id, user.display_name)
            saved = await attendance.answer(tx, caller, event.slug, reply, wishes, through=Through.MAIL)
            return await _answer_page(tx, request, event, link.user_id, saved, is_new=True)
    except InvalidForm as wrong:
        async with database_of(request).reader() as reader:
            link, event = await _answerable(reader, request)
            mine = await answer_of(reader, event.id, link.user_id)
            again = typed_again(typed, wrong)
            return await _answer_page(reader, request, event, link.user_id, mine, typed=again, status=400)


async def show_ticket(request: Request) -> Response:
    """The ticket, for whoever has the link: guests have no other way to it."""
    async with database_of(request).reader() as reader:
        link, event = await _answerable(reader, request)
        mine = await answer_of(reader, event.id, link.user_id)
        user = await user_by_id(reader, link.user_id)
        private = await _shown_to(reader, event, link.user_id, mine)
    if user is None or mine is None or not mine.is_seated:
        raise NotFound("There is no ticket for this answer.")
    return ticket_page(request, event, mine.id, user.display_name, mine.party, private)


async def show_stop(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        link = await _link(reader, request, LinkPurpose.UNSUBSCRIBE)
    return _stop_page(request, link, is_stopped=False)


async def stop_now(request: Request) -> Response:
    """One-click unsubscribe: the body is ignored, and the response is no redirect (RFC 8058, section 3.1)."""
    async with database_of(request).transaction() as tx:
        link = await _link(tx, request, LinkPurpose.UNSUBSCRIBE)
        await stop(tx, link)
    return _stop_page(request, link, is_stopped=True)


_INVALID = "It is too old, or it was cut off on its way. Open it from the newest mail, or sign in and find the event under My events."


async def _link(reader: Reader, request: Request, purpose: LinkPurpose) -> EmailLink:
    found = await links.find(reader, request.path_params["token"], purpose)
    if found is None:
        raise NotFound(_INVALID, name=INVALID_LINK)
    return found


async def _answerable(reader: Reader, request: Request) -> tuple[EmailLink, Event]:
    link = await _link(reader, request, LinkPurpose.ANSWER)
    event = await event_by_id(reader, EventId(link.subject))
    mine = None if event is None else await answer_of(reader, event.id, link.user_id)
    if event is None or event.is_gone or not await may_see(reader, event, link.user_id, is_invited=is_invited(mine)):
        raise NotFound("There is no such event any more.")
    return link, event


async def _answer_page(
    reader: Reader,
    request: Request,
    event: Event,
    user_id: UserId,
    mine: Attendance | None,
    *,
    is_new: bool = False,
    typed: Typed | None = None,
    status: int = 200,
) -> Response:
    joining = await joining_of(reader, event)
    fields = fields_of(event, joining, mine)
    has_offer = mine is not None and mine.has_offer(reader.now)
    private = await _shown_to(reader, event, user_id, mine)
    words = _REPLIES | ({RsvpReply.GOING: "Take the place"} if has_offer else {})
    said = mine.status if mine is not None and not has_offer else None
    context = {
        "event": event,
        "when": when_words(event),
        "stands": stands_words(event, joining, mine, await before(reader, mine) if mine else 0, reader.now),
        "is_new": is_new,
        "is_over": event.is_over(reader.now),
        "replies": [(reply.value, text, said in _MEANT[reply]) for reply, text in words.items()],
        "fields": fields,
        "typed": typed or Typed(values_of(mine)),
        "private": private,
        "join_from_words": join_from_words(event, private),
        "ticket": f"/mail/ticket/{request.path_params['token']}" if mine is not None and mine.is_seated else "",
    }
    return page(request, "emails/answer.html", context, status=status, headers=_HEADERS)


async def _shown_to(reader: Reader, event: Event, user_id: UserId, mine: Attendance | None) -> PrivateDetails:
    """Place, link and entry instructions for the recipient: guests have no other page that shows them."""
    return await private_details_for(reader, event, user_id, is_going=mine is not None and mine.is_seated)


def _stop_page(request: Request, link: EmailLink, *, is_stopped: bool) -> Response:
    context = {"what": stopped_words(link), "is_stopped": is_stopped}
    return page(request, "emails/stop.html", context, headers=_HEADERS)
