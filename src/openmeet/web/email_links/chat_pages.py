"""A chat opened from a link in an e-mail: its last messages and a text field, without signing in.

The token is the only credential. It comes from an e-mail about the chat, or from a guest's RSVP to the event that the
chat belongs to. Showing the page changes nothing, not even the unread count, because mail servers open links before
people do.
"""

import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Conflict, Forbidden, InvalidForm, NotFound, TooMany
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.chat import message_queries, messages, pictures, queries, readers, rooms
from openmeet.domain.chat.access import access
from openmeet.domain.chat.addresses import addresses_of
from openmeet.domain.chat.model import (
    MAX_TEXT,
    Access,
    ChatMessage,
    NewMessage,
    Room,
    RoomId,
    RoomKind,
    RoomSubject,
    SubjectKind,
)
from openmeet.domain.chat.queries import MessageFilter
from openmeet.domain.chat.room_queries import by_id as room_by_id
from openmeet.domain.media.pictures import MediaReason
from openmeet.domain.notifications import email_links
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.domain.validation import INVALID_LINK
from openmeet.i18n.catalogue import lazy
from openmeet.web.chat import person_pages, view
from openmeet.web.chat.pictures import key_of, picture_response
from openmeet.web.chat.requests import spend_on_message
from openmeet.web.email_links.pages import EmailLinkReason
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

# The URL is a secret, so caches must not store it and search engines must not index it.
_HEADERS = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}
_SHOWN = 20
_LABELS = {"text": lazy("Message")}


def routes() -> list[Route]:
    """Routes that need no sign-in and no origin check."""
    return [
        Route("/mail/chat/{token}", show, methods=["GET"]),
        Route("/mail/chat/{token}", write, methods=["POST"]),
        Route("/mail/chat/{token}/pictures/{key}/{size}", show_picture, methods=["GET"]),
        Route("/mail/answer/{token}/chat", show, methods=["GET"]),
        Route("/mail/answer/{token}/chat", write, methods=["POST"]),
        Route("/mail/answer/{token}/chat/pictures/{key}/{size}", show_picture, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        link, room = await _find_link_and_room(reader, request)
        return await _chat_page(reader, request, link, room, FormState({}))


async def show_picture(request: Request) -> Response:
    """A picture of a message in the chat. Raises NotFound."""
    async with database_of(request).reader() as reader:
        link, room = await _find_link_and_room(reader, request)
        picture = await pictures.readable_picture(reader, key_of(request), link.user_id)
        message = None if picture.message_id is None else await message_queries.by_id(reader, picture.message_id)
        if message is None or message.room_id != room.id:
            raise NotFound(MediaReason.NO_SUCH_PICTURE)
    return await picture_response(request, picture)


async def write(request: Request) -> Response:
    """Send a message as the recipient of the e-mail. Submitting the same form twice sends it once."""
    form = await read_form(request)
    new = NewMessage(text=form.get("text", ""), client_id=form.get("submission") or None)
    try:
        async with database_of(request).reader() as reader:
            link, room = await _find_link_and_room(reader, request)
        await spend_on_message(request, link.user_id, room.id)
        async with database_of(request).transaction() as tx:
            result = await _send_message(tx, link, room, new)
    except InvalidForm as wrong:
        form_state, status = form_with_problems(form, wrong), 400
    except (Conflict, Forbidden, TooMany) as refused:
        form_state, status = FormState(form, {"": refused.why}), {Conflict: 409, Forbidden: 403}.get(type(refused), 429)
    else:
        response = go(request.url.path, flash="chat_held" if result.is_held else "chat_sent")
        response.headers.update(_HEADERS)
        return response
    async with database_of(request).reader() as reader:
        link, room = await _find_link_and_room(reader, request)
        return await _chat_page(reader, request, link, room, form_state, status=status)


async def _send_message(tx: Transaction, link: EmailLink, room: Room, new: NewMessage) -> ChatMessage:
    user = await user_by_id(tx, link.user_id)
    if user is None:
        raise NotFound(EmailLinkReason.TOO_OLD, name=INVALID_LINK)
    message, _ = await messages.send(tx, Caller(user.id, user.display_name), room.id, new)
    await readers.move_mark(tx, room.id, user.id, message.number)
    return message


async def _find_link_and_room(reader: Reader, request: Request) -> tuple[EmailLink, Room]:
    """The room that the link opens, if its holder may still read it. Raises NotFound."""
    token = request.path_params["token"]
    link = await email_links.find(reader, token, LinkPurpose.CHAT)
    room = None
    if link is not None:
        room = await room_by_id(reader, RoomId(link.subject))
    else:
        link = await email_links.find(reader, token, LinkPurpose.ANSWER)
        # This link never expires, so it opens the chat only for guests, who have no other way in.
        if link is None or await guests.find(reader, link.user_id) is None:
            raise NotFound(EmailLinkReason.TOO_OLD, name=INVALID_LINK)
        subject = RoomSubject(SubjectKind.EVENT, link.subject)
        room = await rooms.room_at(reader, await rooms.target_of(reader, RoomKind.EVENT, subject))
    if room is None or await access(reader, room.id, link.user_id) is Access.NONE:
        raise NotFound(EmailLinkReason.NO_CHAT)
    return link, room


async def _chat_page(
    reader: Reader,
    request: Request,
    link: EmailLink,
    room: Room,
    form_state: FormState,
    *,
    status: int = 200,
) -> Response:
    address = (await addresses_of(reader, [room], link.user_id)).get(room.id)
    if address is None:
        raise NotFound(EmailLinkReason.NO_CHAT)
    level = await access(reader, room.id, link.user_id)
    shown = await queries.page_of_messages(reader, room, link.user_id, MessageFilter(), limit=_SHOWN, level=level)
    hosts = await view.hosts_among(reader, room, shown.messages)
    # Pages of single messages require an account.
    viewed_by = view.MessageReader(
        address.time_zone, reader.now, is_linked=False, pictures_at=f"{request.url.path}/pictures"
    )
    rows = [view.message_view(one, room, hosts, viewed_by) for one in shown.messages]
    may_write = level >= Access.WRITE and not room.is_closed
    context = {
        "address": address,
        "rows": view.rows_of(
            rows, shown.messages, zone=address.time_zone, now=reader.now, read_number=None, rooms_of_dates={}
        ),
        "may_write": may_write,
        "typed": form_state,
        "labels": _LABELS,
        # A form that is sent again after an error is a new submission.
        "submission": secrets.token_urlsafe(16),
        "max_text": MAX_TEXT,
        "is_closed": room.is_closed,
        "sanction": None
        if may_write
        else await person_pages.sanction_notice(reader, room, address.time_zone, link.user_id),
    }
    return page(request, "email_links/chat.html", context, status=status, headers=_HEADERS)
