"""Page of one message and its actions: edit it, take it back, reply. Hosts can also remove, restore, hold and release
it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Conflict, Forbidden, InvalidForm, InvalidInput, NotFound, Refused, TooMany, kind_of
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.chat import message_queries, messages, queries, reactions, room_queries, sanctions
from openmeet.domain.chat.access import access
from openmeet.domain.chat.addresses import RoomAddress, addresses_of
from openmeet.domain.chat.model import (
    EDITABLE_FOR,
    MAX_REASON,
    MAX_TEXT,
    Access,
    ChatMessage,
    ChatMessageId,
    MessageKind,
    RoomId,
)
from openmeet.domain.chat.queries import ShownMessage
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.web.chat import view
from openmeet.web.chat.pictures import PATH as PICTURES
from openmeet.web.chat.pictures import MessagePictureView, picture_views
from openmeet.web.chat.requests import removal_sealer, spend_on_change
from openmeet.web.site.caller import caller_of, viewer_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

_LABELS = {"text": lazy("Message"), "reason": lazy("Why")}
# Emojis that the page offers. API clients can send any emoji.
_EMOJIS: Final = ("👍", "❤️", "😄", "🎉", "🙏", "👀")
_MAX_DIGITS: Final = 4
MessageChange = Callable[[Transaction, Request, dict[str, str]], Awaitable[ChatMessage]]


@dataclass(frozen=True, slots=True)
class MessageActions:
    """What the page of a message offers to its viewer. Everything is off unless it is set.

    ``answer``, ``object`` and ``report`` are paths. ``may_be_empty``: the text of an edit can be empty, because the
    message has pictures. ``earlier``: texts before edits. ``text`` and ``pictures``: the content of a removed message
    that can be restored.
    """

    answer: str = ""
    object: str = ""
    report: str = ""
    emojis: Sequence[str] = ()
    may_edit: bool = False
    may_be_empty: bool = False
    may_close_poll: bool = False
    may_take_back: bool = False
    may_pin: bool = False
    may_moderate: bool = False
    may_ban: bool = False
    is_banned: bool = False
    may_restore: bool = False
    earlier: Sequence[str] = ()
    text: str = ""
    pictures: Sequence[MessagePictureView] = ()


def routes() -> list[Route]:
    base = "/chat/messages/{message}"
    acts = [Route(f"{base}/{name}", _handler(act), methods=["POST"]) for name, act in _ACTIONS.items()]
    return [Route(base, show_message, methods=["GET"]), *acts]


async def show_message(request: Request) -> Response:
    return await _message_page(request, FormState({}))


def _handler(act: MessageChange) -> Callable[[Request], Awaitable[Response]]:
    """Make a route handler for an action. It redirects back to the conversation, or shows the page again with the
    error.
    """

    async def answer(request: Request) -> Response:
        caller = caller_of(request)
        form = await read_form(request)
        try:
            if act in {_edit_message, _react, _vote}:
                await spend_on_change(request, caller.user_id, _message_id(request))
            async with database_of(request).transaction() as tx:
                message = await act(tx, request, form)
                message_path = await _message_path(tx, message, caller.user_id)
        except (InvalidForm, InvalidInput) as wrong:
            return await _message_page(request, form_with_problems(form, wrong), 400)
        except (Conflict, Refused, Forbidden, TooMany) as refused:
            status = kind_of(refused).http_status
            return await _message_page(request, FormState(form, {"": refused.why}), status)
        return go(message_path)

    return answer


async def _message_path(reader: Reader, message: ChatMessage, viewer: UserId) -> str:
    """The URL of the message in its conversation. For an author who has left the room, the URL of the list of rooms."""
    try:
        _, room, _ = await queries.visible_message(reader, message.id, viewer)
    except NotFound:
        return "/chat"
    address = (await addresses_of(reader, [room], viewer))[room.id]
    return _path_in_room(address, f"around={message.number}#m{message.number}")


async def _edit_message(tx: Transaction, request: Request, form: dict[str, str]) -> ChatMessage:
    revision = form.get("revision", "")
    return await messages.edit(
        tx,
        caller_of(request),
        _message_id(request),
        form.get("text", ""),
        int(revision) if revision.isascii() and revision.isdecimal() and len(revision) < 10 else None,
    )


async def _take_back(tx: Transaction, request: Request, _: dict[str, str]) -> ChatMessage:
    return await messages.retract(tx, caller_of(request), _message_id(request))


async def _remove(tx: Transaction, request: Request, form: dict[str, str]) -> ChatMessage:
    return await messages.remove(
        tx, caller_of(request), _message_id(request), form.get("reason", ""), removal_sealer(request)
    )


async def _restore(tx: Transaction, request: Request, _: dict[str, str]) -> ChatMessage:
    return await messages.restore(tx, caller_of(request), _message_id(request), removal_sealer(request))


async def _hold(tx: Transaction, request: Request, form: dict[str, str]) -> ChatMessage:
    return await messages.hold(tx, caller_of(request), _message_id(request), form.get("reason", ""))


async def _release(tx: Transaction, request: Request, form: dict[str, str]) -> ChatMessage:
    return await messages.release(tx, caller_of(request), _message_id(request), form.get("reason", ""))


async def _ban(tx: Transaction, request: Request, form: dict[str, str]) -> ChatMessage:
    """Ban the author of the message from this chat."""
    caller, message = caller_of(request), await _visible_message(tx, request)
    if message.user_id is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    reason = form.get("reason", "")
    await sanctions.sanction(tx, caller, message.room_id, message.user_id, SanctionKind.BAN, reason=reason)
    return message


async def _unban(tx: Transaction, request: Request, _: dict[str, str]) -> ChatMessage:
    message = await _visible_message(tx, request)
    if message.user_id is not None:
        await sanctions.lift(tx, caller_of(request), message.room_id, message.user_id, kind=SanctionKind.BAN)
    return message


async def _visible_message(tx: Transaction, request: Request) -> ChatMessage:
    return (await queries.visible_message(tx, _message_id(request), caller_of(request).user_id))[0]


async def _react(tx: Transaction, request: Request, form: dict[str, str]) -> ChatMessage:
    """Add or remove one of the caller's reactions."""
    caller, message_id = caller_of(request), _message_id(request)
    if form.get("remove"):
        await reactions.unreact(tx, caller, message_id, form["remove"])
    else:
        await reactions.react(tx, caller, message_id, form.get("add", ""))
    return (await queries.visible_message(tx, message_id, caller.user_id))[0]


async def _vote(tx: Transaction, request: Request, form: dict[str, str]) -> ChatMessage:
    """Add or withdraw one of the caller's votes."""
    caller, message_id = caller_of(request), _message_id(request)
    choice = form.get("add", "") or form.get("remove", "")
    if not (choice.isascii() and choice.isdecimal() and len(choice) < _MAX_DIGITS):
        raise InvalidForm({"choices": ChatReason.NO_SUCH_CHOICE()})
    await reactions.toggle_vote(tx, caller, message_id, int(choice), is_on="add" in form)
    return (await queries.visible_message(tx, message_id, caller.user_id))[0]


async def _close_poll(tx: Transaction, request: Request, _: dict[str, str]) -> ChatMessage:
    return await reactions.close_poll(tx, caller_of(request), _message_id(request))


async def _pin(tx: Transaction, request: Request, _: dict[str, str]) -> ChatMessage:
    await reactions.pin(tx, caller_of(request), _message_id(request))
    return (await queries.visible_message(tx, _message_id(request), caller_of(request).user_id))[0]


async def _unpin(tx: Transaction, request: Request, _: dict[str, str]) -> ChatMessage:
    await reactions.unpin(tx, caller_of(request), _message_id(request))
    return (await queries.visible_message(tx, _message_id(request), caller_of(request).user_id))[0]


_ACTIONS: Final[dict[str, MessageChange]] = {
    "pin": _pin,
    "unpin": _unpin,
    "reactions": _react,
    "vote": _vote,
    "close-poll": _close_poll,
    "edit": _edit_message,
    "take-back": _take_back,
    "remove": _remove,
    "restore": _restore,
    "hold": _hold,
    "release": _release,
    "ban": _ban,
    "unban": _unban,
}


async def _message_page(request: Request, form_state: FormState, status: int = 200) -> Response:
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        try:
            message, room, level = await queries.visible_message(reader, _message_id(request), viewer)
        except NotFound:
            return await _former_member_page(request, reader, viewer)
        shown = (await queries.visible_among(reader, room, [message.id], viewer, level))[0]
        address = (await addresses_of(reader, [room], viewer)).get(room.id)
        if address is None:
            raise NotFound(ChatReason.NO_SUCH_MESSAGE)
        hosts = await view.hosts_among(reader, room, [shown])
        may_write = level >= Access.WRITE and not room.is_closed
        row = view.message_view(shown, room, hosts, view.MessageReader(address.time_zone, reader.now, may_write))
        may_respond = may_write and not message.is_removed
        actions = MessageActions(
            answer=_path_in_room(address, f"reply={message.id}#write") if may_respond else "",
            emojis=_EMOJIS if may_respond else (),
            report=f"/chat/messages/{message.id}/report"
            if viewer and not shown.is_mine and not message.is_removed
            else "",
        )
        if shown.is_mine:
            actions = _with_author_actions(actions, message, row, may_write=may_write, now=reader.now)
        if level is Access.MODERATE:
            actions = await _with_moderator_actions(actions, request, reader, message, shown)
    typed = form_state if form_state.values else FormState({"text": message.body}, form_state.problems)
    there = _path_in_room(address, f"around={message.number}#m{message.number}")
    return _render(request, message, row, actions, address, there=there, typed=typed, status=status)


def _with_author_actions(
    actions: MessageActions, message: ChatMessage, row: view.MessageView, *, may_write: bool, now: Instant
) -> MessageActions:
    """Add what the author of the message can do with it."""
    is_text = message.kind is MessageKind.TEXT and not message.is_removed
    return replace(
        actions,
        may_edit=may_write and is_text and now < message.said_at + EDITABLE_FOR,
        may_be_empty=bool(message.pictures),
        may_close_poll=may_write and row.poll is not None and not row.poll.is_over,
        may_take_back=not message.is_removed,
        object=f"/chat/messages/{message.id}/object" if message.is_removed and not message.is_taken_back else "",
    )


async def _with_moderator_actions(
    actions: MessageActions, request: Request, reader: Reader, message: ChatMessage, shown: ShownMessage
) -> MessageActions:
    """Add what a moderator of the room can see and do."""
    author = None if shown.is_mine else message.user_id
    is_banned = author is not None and await _is_banned(reader, message.room_id, author)
    author_moderates = (
        author is not None and not is_banned and await access(reader, message.room_id, author) is Access.MODERATE
    )
    may_restore = message.is_removed and not message.is_taken_back and not message.removed_by_site
    text, pictures = (
        await messages.sealed_content(reader, message.id, removal_sealer(request)) if may_restore else ("", ())
    )
    return replace(
        actions,
        may_pin=not message.is_removed,
        may_moderate=not shown.is_mine,
        may_ban=author is not None and not is_banned and not author_moderates,
        is_banned=is_banned,
        earlier=await message_queries.earlier_texts(reader, message.id),
        may_restore=may_restore,
        text=text,
        pictures=picture_views(pictures, shown.name, PICTURES),
    )


def _path_in_room(address: RoomAddress, query_and_anchor: str) -> str:
    return f"{address.path}{'&' if '?' in address.path else '?'}{query_and_anchor}"


async def _former_member_page(request: Request, reader: Reader, viewer: UserId | None) -> Response:
    """The page for an author who has left the room: they can still take back their own message. Raises NotFound."""
    message = await message_queries.by_id(reader, _message_id(request))
    if viewer is None or message is None or message.user_id != viewer or message.is_removed:
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    room = await room_queries.by_id(reader, message.room_id)
    assert room is not None, "a message has one"  # noqa: S101 - for the type checker
    (shown,) = await queries.shown(reader, [message], viewer)
    # Show nothing that other people wrote or did in the room.
    own_message = replace(shown, reply=None, reactions=(), is_pinned=False)
    row = view.message_view(own_message, room, set(), view.MessageReader("UTC", reader.now))
    address = RoomAddress(gettext("Chats"), gettext("Chats"), "/chat", gettext("You have left this chat."), "UTC")
    return _render(request, message, row, MessageActions(may_take_back=True), address, there="/chat")


def _render(
    request: Request,
    message: ChatMessage,
    row: view.MessageView,
    actions: MessageActions,
    address: RoomAddress,
    *,
    there: str,
    typed: FormState | None = None,
    status: int = 200,
) -> Response:
    """Render the page. ``there`` is the path to go back to."""
    context = {
        "message": message,
        "row": row,
        "actions": actions,
        "address": address,
        "there": there,
        "typed": typed or FormState({}),
        "labels": _LABELS,
        "max_text": MAX_TEXT,
        "max_reason": MAX_REASON,
    }
    return page(request, "chat/message.html", context, status=status)


async def _is_banned(reader: Reader, room: RoomId, person: UserId) -> bool:
    """Whether the hosts have banned the person. Bans by moderators of the site do not count, because hosts cannot lift
    them.
    """
    active_sanctions = await sanctions.sanctions_in(reader, room, person)
    return any(one.kind is SanctionKind.BAN and not one.of_site for one in active_sanctions)


def _message_id(request: Request) -> ChatMessageId:
    return ChatMessageId(request.path_params["message"])
