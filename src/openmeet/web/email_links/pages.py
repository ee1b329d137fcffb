"""Pages that links in e-mails open, without signing in: RSVP, unsubscribe, and opt out of e-mails that other people
trigger.

The token is the only credential. Cookies are ignored, so cross-site requests carry no authority, and a mail program can
post from anywhere (RFC 8058). Showing a page changes nothing, because mail servers open links before people do.
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, InvalidInput, NotFound, Reason
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.attendance import actions as attendance_actions
from openmeet.domain.attendance import answer_texts, waitlist
from openmeet.domain.attendance.answer_bar import AnswerState, answer_bar_of
from openmeet.domain.attendance.answer_bar_inputs import bar_input_of
from openmeet.domain.attendance.answer_texts import AnswerFigures
from openmeet.domain.attendance.model import Attendance, ChangeChannel, RsvpReply
from openmeet.domain.attendance.moved_dates import ALL_DATES, moved_dates_if_several
from openmeet.domain.attendance.queries import find as find_attendance
from openmeet.domain.attendance.registration import registration_of
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.chat import rooms
from openmeet.domain.chat.access import access
from openmeet.domain.chat.model import Access, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.events.disclosure import PrivateDetails
from openmeet.domain.events.event_access import may_see, private_details_for, raise_if_gone, require_visible
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.time_and_place import join_from_label, removal_notice
from openmeet.domain.notifications import email_links
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.notifications.model import NotificationTopic
from openmeet.domain.page_paths import event_path
from openmeet.domain.series import standing_rsvps
from openmeet.domain.series.model import SeriesId
from openmeet.domain.series.queries import by_id as series_by_id
from openmeet.domain.users import guests
from openmeet.domain.users.actions import check_name
from openmeet.domain.users.model import Caller, User, UserId
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.domain.validation import INVALID_LINK, GeneralReason
from openmeet.emails.notifications.texts import when_label
from openmeet.emails.unsubscribe import can_resume, resume, stop, unsubscribed_topic
from openmeet.i18n.catalogue import gettext
from openmeet.outbox import email_suppressions
from openmeet.web.attendance.forms import fields_now, fields_of, reply_details_of, values_of
from openmeet.web.check_in.pages import ticket_page
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

# The URL is a secret, so caches must not store it and search engines must not index it.
_HEADERS = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}


class EmailLinkReason(Reason):
    """Why a link in an e-mail opens nothing. The messages are in ``i18n/reasons/accounts.py``."""

    CUT_OFF = "email_link.cut_off"
    TOO_OLD = "email_link.too_old"
    NO_CHAT = "email_link.no_chat"
    NO_SUCH_EVENT = "email_link.no_such_event"


def routes() -> list[Route]:
    """Routes that need no sign-in and no origin check."""
    return [
        Route("/mail/answer/{token}", show_answer, methods=["GET"]),
        Route("/mail/answer/{token}", save_reply, methods=["POST"]),
        Route("/mail/ticket/{token}", show_ticket, methods=["GET"]),
        Route("/mail/stop/{token}", show_stop, methods=["GET"]),
        Route("/mail/stop/{token}", stop_now, methods=["POST"]),
        Route("/mail/stop/{token}/again", start_again, methods=["POST"]),
        Route("/mail/never/{token}", show, methods=["GET"]),
        Route("/mail/never/{token}", unsubscribe, methods=["POST"]),
        Route("/mail/never/{token}/again", opt_in, methods=["POST"]),
    ]


def _go(path: str, *, flash: str) -> Response:
    response = go(path, flash=flash)
    response.headers.update(_HEADERS)
    return response


async def show_answer(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        link, event = await _answerable(reader, request)
        own_rsvp = await find_attendance(reader, event.id, link.user_id)
        return await _answer_page(reader, request, event, link.user_id, own_rsvp)


async def save_reply(request: Request) -> Response:
    """RSVP as the recipient of the e-mail. The link is valid for this event only. The form includes the host's
    questions. If several dates of the series were moved, the recipient can also confirm them all.
    """
    form = await read_form(request)
    if form.get("reply") == ALL_DATES:
        return await _confirm_new_times(request)
    try:
        reply = RsvpReply(form.get("reply", ""))
    except ValueError:
        raise InvalidInput("reply", GeneralReason.CHOOSE_ONE, choices=", ".join(RsvpReply)) from None
    try:
        async with database_of(request).transaction() as tx:
            link, event = await _answerable(tx, request)
            user = await user_by_id(tx, link.user_id)
            if user is None:
                raise NotFound(EmailLinkReason.TOO_OLD, name=INVALID_LINK)
            own_rsvp = await find_attendance(tx, event.id, link.user_id)
            reply_details = reply_details_of(form, fields_of(await registration_of(tx, event), own_rsvp))
            caller = Caller(user.id, await _given_name(tx, user, form.get("display_name", "")))
            await attendance_actions.answer(tx, caller, event.slug, reply, reply_details, through=ChangeChannel.MAIL)
    except InvalidForm as wrong:
        async with database_of(request).reader() as reader:
            link, event = await _answerable(reader, request)
            own_rsvp = await find_attendance(reader, event.id, link.user_id)
            form_state = form_with_problems(form, wrong)
            return await _answer_page(reader, request, event, link.user_id, own_rsvp, form_state=form_state, status=400)
    return _go(request.url.path, flash="answer_saved")


async def _asks_name(reader: Reader, user: User) -> bool:
    """Whether this is a guest without a name: a host invited their address."""
    return not user.display_name and await guests.find(reader, user.id) is not None


async def _given_name(tx: Transaction, user: User, typed: str) -> str:
    """The name of the recipient, after saving the one that a guest without a name typed. Raises InvalidForm."""
    if not typed.strip() or not await _asks_name(tx, user):
        return user.display_name
    name = check_name(typed)
    await guests.set_name(tx, user.id, name)
    return name


async def _confirm_new_times(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        link, event = await _answerable(tx, request)
        user = await user_by_id(tx, link.user_id)
        series = (
            None
            if event.position_in_series is None
            else await series_by_id(tx, SeriesId(event.position_in_series.series_id))
        )
        if user is None or series is None:
            raise NotFound(EmailLinkReason.TOO_OLD, name=INVALID_LINK)
        caller = Caller(user.id, user.display_name)
        await standing_rsvps.confirm_new_times(tx, caller, series.slug, through=ChangeChannel.MAIL)
    return _go(request.url.path, flash="answer_saved")


async def show_ticket(request: Request) -> Response:
    """The ticket, for anyone who has the link, because guests cannot open it any other way. If the RSVP has no place,
    the RSVP page is shown instead.
    """
    async with database_of(request).reader() as reader:
        link, event = await _answerable(reader, request)
        own_rsvp = await find_attendance(reader, event.id, link.user_id)
        user = await user_by_id(reader, link.user_id)
        if user is None or own_rsvp is None or not own_rsvp.is_seated:
            return await _answer_page(reader, request, event, link.user_id, own_rsvp)
        private = await _shown_to(reader, event, link.user_id, own_rsvp)
        guest = await guests.find(reader, link.user_id)
    name = user.display_name or (guest and guest.email) or ""
    return ticket_page(request, event, own_rsvp, name, private)


async def show_stop(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        link = await _link_for(reader, request, LinkPurpose.UNSUBSCRIBE)
        is_guest = await guests.find(reader, link.user_id) is not None
    return _stop_page(request, link, is_stopped=False, is_guest=is_guest)


async def stop_now(request: Request) -> Response:
    """One-click unsubscribe. The body is ignored, and the response is not a redirect (RFC 8058, section 3.1)."""
    async with database_of(request).transaction() as tx:
        link = await _link_for(tx, request, LinkPurpose.UNSUBSCRIBE)
        await stop(tx, link)
        is_guest = await guests.find(tx, link.user_id) is not None
    return _stop_page(request, link, is_stopped=True, is_guest=is_guest)


async def start_again(request: Request) -> Response:
    """Undo an unsubscription, for a guest, who has no preferences page. Raises NotFound for everybody else."""
    async with database_of(request).transaction() as tx:
        link = await _link_for(tx, request, LinkPurpose.UNSUBSCRIBE)
        if not can_resume(link) or await guests.find(tx, link.user_id) is None:
            raise NotFound(EmailLinkReason.TOO_OLD, name=INVALID_LINK)
        await resume(tx, link)
    return _go(f"/mail/stop/{request.path_params['token']}", flash="mail_resumed")


async def _link_for(reader: Reader, request: Request, purpose: LinkPurpose) -> EmailLink:
    email_link = await email_links.find(reader, request.path_params["token"], purpose)
    if email_link is None:
        raise NotFound(EmailLinkReason.TOO_OLD, name=INVALID_LINK)
    return email_link


async def _answerable(reader: Reader, request: Request) -> tuple[EmailLink, Event]:
    link = await _link_for(reader, request, LinkPurpose.ANSWER)
    event = await event_by_id(reader, EventId(link.subject))
    own_rsvp = None if event is None else await find_attendance(reader, event.id, link.user_id)
    access = rsvp_gives_access(own_rsvp)
    if event is not None:
        raise_if_gone(event, is_involved=own_rsvp is not None)
    return link, await require_visible(
        reader, event, link.user_id, has_rsvp_access=access, refusal=EmailLinkReason.NO_SUCH_EVENT
    )


async def _answer_page(
    reader: Reader,
    request: Request,
    event: Event,
    user_id: UserId,
    own_rsvp: Attendance | None,
    *,
    form_state: FormState | None = None,
    status: int = 200,
) -> Response:
    path = event_path(event.slug)
    user = await user_by_id(reader, user_id)
    event_registration = await registration_of(reader, event)
    fields = await fields_now(reader, event_registration, own_rsvp)
    private = await _shown_to(reader, event, user_id, own_rsvp)
    bar_input = await bar_input_of(reader, event_registration, user_id, rsvp=own_rsvp)
    bar = answer_bar_of(bar_input)
    requested_reply = request.query_params.get("reply", "")
    in_series = event.position_in_series if bar.state is AnswerState.MOVED else None
    moved = None if in_series is None else await moved_dates_if_several(reader, user_id, in_series.series_id)
    replies = answer_texts.reply_labels(bar, moved)
    is_past = bar.state in {AnswerState.CANCELLED, AnswerState.OVER}
    is_open_to_all = await may_see(reader, event, None, has_rsvp_access=False)
    figures = AnswerFigures(people_ahead=await waitlist.people_ahead(reader, own_rsvp) if own_rsvp else 0)
    context = {
        "event": event,
        "when": when_label(event, reader.now),
        "removal_notice": removal_notice(event, reader.now),
        "sentence": answer_texts.sentence_of(bar, bar_input, figures),
        "is_answered": own_rsvp is not None,
        "takes_answers": bool(bar.replies) and not is_past,
        # The reply that was chosen in the e-mail comes first and stands out; otherwise the first one does, until they
        # have answered.
        "replies": [
            (reply, replies[reply], bar.current_reply is not None and reply == bar.current_reply.value)
            for reply in sorted(replies, key=lambda reply: reply != requested_reply)
        ],
        "is_first_main": requested_reply in replies or bar.current_reply is None,
        "fields": fields,
        "labels": {"display_name": gettext("Your name"), **fields.labels},
        "asks_name": user is not None and await _asks_name(reader, user),
        "typed": form_state or FormState(values_of(own_rsvp)),
        "private": private,
        "join_from_label": join_from_label(event, private),
        "answer_path": f"/mail/answer/{request.path_params['token']}",
        "chat": f"/mail/answer/{request.path_params['token']}/chat" if await _has_chat(reader, event, user_id) else "",
        # Without a session, the page of a private event says that it does not exist.
        "event_page": path if is_open_to_all else f"/sign-in?next={quote(path, safe='')}",
        "calendar": f"{path}/share#into-calendar" if is_open_to_all and not is_past else "",
        "ticket": f"/mail/ticket/{request.path_params['token']}"
        if own_rsvp is not None and own_rsvp.is_seated and not is_past
        else "",
    }
    return page(request, "email_links/answer.html", context, status=status, headers=_HEADERS)


async def _has_chat(reader: Reader, event: Event, user_id: UserId) -> bool:
    """Whether this is a guest who may read the event's chat, and the chat has been opened. Other people use the site."""
    if await guests.find(reader, user_id) is None:
        return False
    subject = RoomSubject(SubjectKind.EVENT, event.id)
    room = await rooms.room_at(reader, await rooms.target_of(reader, RoomKind.EVENT, subject))
    return room is not None and await access(reader, room.id, user_id) >= Access.READ


async def _shown_to(reader: Reader, event: Event, user_id: UserId, own_rsvp: Attendance | None) -> PrivateDetails:
    """Place, link and entry instructions for the recipient. Guests have no other page that shows these."""
    return await private_details_for(reader, event, user_id, is_going=own_rsvp is not None and own_rsvp.is_seated)


def _stop_page(request: Request, link: EmailLink, *, is_stopped: bool, is_guest: bool) -> Response:
    context = {
        "what": unsubscribed_topic(link),
        "is_stopped": is_stopped,
        "is_guest": is_guest,
        "is_shown_elsewhere": not is_guest and link.subject != NotificationTopic.WEEK,
        "again": f"/mail/stop/{request.path_params['token']}/again" if is_guest and can_resume(link) else "",
    }
    return page(request, "email_links/stop.html", context, headers=_HEADERS)


# The URL is a secret, so caches must not store it and search engines must not index it.


async def show(request: Request) -> Response:
    address = _address_from_link(request)
    async with database_of(request).reader() as reader:
        is_left_alone = await email_suppressions.is_suppressed(reader, services(request).code_key, address)
    return _never_page(request, is_left_alone=is_left_alone)


async def unsubscribe(request: Request) -> Response:
    """One-click unsubscribe. The body is ignored, and the response is not a redirect (RFC 8058, section 3.1)."""
    async with database_of(request).transaction() as tx:
        await email_suppressions.opt_out(tx, services(request).code_key, _address_from_link(request))
    return _never_page(request, is_left_alone=True)


async def opt_in(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await email_suppressions.opt_in(tx, services(request).code_key, _address_from_link(request))
    return _go(f"/mail/never/{request.path_params['token']}", flash="mail_resumed")


def _address_from_link(request: Request) -> str:
    address = email_suppressions.address_in(services(request).code_key, request.path_params["token"])
    if address is None:
        raise NotFound(EmailLinkReason.CUT_OFF, name=INVALID_LINK)
    return address


def _never_page(request: Request, *, is_left_alone: bool) -> Response:
    context = {
        "is_left_alone": is_left_alone,
        "path": f"/mail/never/{request.path_params['token']}",
    }
    return page(request, "email_links/never.html", context, headers=_HEADERS)
