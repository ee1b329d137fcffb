"""Chat messages reported to the site's moderators: the list, and one message with its context.

Moderators see a message only if it was reported to them, with a few messages around it. They decide about the message
and whether its author may stay in that room. Their actions are written to the room's log.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, InvalidInput, NotFound, Refused
from groundwork.http.forms import FormState, form_with_problems, read_form
from groundwork.sealing import Sealer
from openmeet.domain.chat import messages, objections, queries, sanctions
from openmeet.domain.chat import pictures as chat_pictures
from openmeet.domain.chat.access import access_of_each
from openmeet.domain.chat.addresses import addresses_of
from openmeet.domain.chat.audit_log import actions_about
from openmeet.domain.chat.message_queries import around, by_ids
from openmeet.domain.chat.model import MAX_REASON, Access, ChatMessage, ChatMessageId, Room
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.room_queries import by_ids as rooms_by_ids
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.media.pictures import MediaReason
from openmeet.domain.moderation.model import REASON_LABELS
from openmeet.domain.users.model import Caller
from openmeet.i18n.catalogue import lazy
from openmeet.web.chat import moderation_pages, view
from openmeet.web.chat.pictures import key_of, picture_response, picture_views
from openmeet.web.chat.requests import removal_sealer
from openmeet.web.moderation.access import moderator_of, position_of
from openmeet.web.moderation.pages import next_report, tabs_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/moderation/chat"
_PAGE: Final = 25
# Number of messages shown before and after the reported one.
_AROUND: Final = 5
_LABELS: Final = {"reason": lazy("Why")}


class SiteDecision(StrEnum):
    """What a moderator of the site can decide about a chat message: remove or restore it, dismiss the reports about it,
    uphold its removal against an objection; and about its author: ban them from the chat, or lift that.
    """

    REMOVE = "remove"
    RESTORE = "restore"
    DISMISS = "dismiss"
    UPHOLD = "uphold"
    BAN = "ban"
    UNBAN = "unban"


def routes() -> list[Route]:
    return [
        Route(PATH, show_reported, methods=["GET"]),
        Route(f"{PATH}/{{message}}", show_message, methods=["GET"]),
        Route(f"{PATH}/{{message}}", decide, methods=["POST"]),
        Route(f"{PATH}/{{message}}/pictures/{{key}}/{{size}}", show_picture, methods=["GET"]),
    ]


async def show_reported(request: Request) -> Response:
    """The messages that wait for a decision, longest waiting first."""
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        after = position_of(request.query_params.get("after", ""))
        waiting = await objections.waiting_for_site(
            reader, limit=_PAGE + 1, after=None if after is None else (after[0], ChatMessageId(after[1]))
        )
        ids = [message for message, _ in waiting[:_PAGE]]
        stored = await by_ids(reader, ids)
        shown = {one.id: one for one in await queries.shown(reader, [stored[one] for one in ids], None)}
        rooms = await rooms_by_ids(reader, {one.room_id for one in stored.values()})
        addresses = await addresses_of(reader, list(rooms.values()), None)
        reports = await objections.reports_to_site(reader, ids)
        removals = await objections.removals_of(reader, ids)
        cards = [
            {
                "href": f"{PATH}/{message}",
                "line": view.line_of(shown[message]),
                "room": addresses[stored[message].room_id].name if stored[message].room_id in addresses else "",
                "since": since,
                "reports": [
                    (REASON_LABELS[one.reason], one.comment) for one in reports.get(message, []) if one.is_open
                ],
                "objection": _open_objection(removals.get(message)) if stored[message].removed_by_site else "",
            }
            for message, since in waiting[:_PAGE]
        ]
        context = {"tabs": await tabs_of(reader, "chat"), "now": reader.now, "cards": cards}
    last = waiting[_PAGE - 1] if len(waiting) > _PAGE else None
    context["more"] = f"{PATH}?after={last[1]}:{last[0]}" if last else ""
    return page(request, "moderation/chat.html", context)


def _open_objection(removal: objections.Removal | None) -> str:
    return removal.objection or "" if removal is not None and not removal.is_decided else ""


async def show_message(request: Request) -> Response:
    return await _message_page(request, FormState({}))


async def decide(request: Request) -> Response:
    form = await read_form(request)
    message, action, reason = _message_id(request), form.get("act", ""), form.get("reason", "")
    sealer = removal_sealer(request)
    try:
        async with database_of(request).transaction() as tx:
            moderator = await moderator_of(tx, request)
            if action not in set(SiteDecision):
                raise NotFound(ChatReason.NO_SUCH_MESSAGE)
            await carry_out(tx, moderator, message, SiteDecision(action), reason, sealer)
    except (InvalidForm, InvalidInput) as wrong:
        return await _message_page(request, form_with_problems(form, wrong), 400)
    except Refused as refused:
        return await _message_page(request, FormState(form, {"": refused.why}), 422)
    return go(f"{PATH}/{message}", flash="act_done")


async def _message_page(request: Request, form_state: FormState, status: int = 200) -> Response:
    message_id = _message_id(request)
    async with database_of(request).reader() as reader:
        moderator = await moderator_of(reader, request)
        reports = (await objections.reports_to_site(reader, [message_id])).get(message_id, [])
        message = (await by_ids(reader, [message_id])).get(message_id)
        rooms = await rooms_by_ids(reader, {message.room_id}) if message else {}
        if message is None or message.room_id not in rooms or not _is_theirs(reports, message):
            raise NotFound(ChatReason.NO_SUCH_MESSAGE)
        room = rooms[message.room_id]
        removal = (await objections.removals_of(reader, [message_id])).get(message_id)
        objection = _open_objection(removal) if message.removed_by_site else ""
        has_open_reports = any(one.is_open for one in reports)
        is_open = has_open_reports or bool(objection)
        context = {
            **await _conversation_context(request, reader, room, message),
            **await _author_context(reader, room, message, moderator),
            "tabs": await tabs_of(reader, "-"),
            "now": reader.now,
            "next_report": "" if is_open else await next_report(reader),
            "message": message,
            "reports": [(REASON_LABELS[one.reason], one.comment, one.at, one.is_open) for one in reports],
            "has_open": has_open_reports,
            "removal": removal,
            "objection": objection,
            "acts": await moderation_pages.action_lines(reader, await actions_about(reader, message)),
            "typed": form_state,
            "labels": _LABELS,
            "max_reason": MAX_REASON,
        }
    return page(request, "moderation/chat_message.html", context, status=status)


async def _conversation_context(
    request: Request, reader: Reader, room: Room, message: ChatMessage
) -> dict[str, object]:
    """The message between its neighbours. If it was removed, its sealed content is included."""
    address = (await addresses_of(reader, [room], None)).get(room.id)
    neighbours = await queries.shown(reader, await around(reader, message, _AROUND), None)
    hosts = await view.hosts_among(reader, room, neighbours)
    pictures_at = f"{PATH}/{message.id}/pictures"
    viewed_by = view.MessageReader(address.time_zone if address else "UTC", reader.now, is_linked=False, pictures_at="")
    rows = [
        # Moderators see the pictures of the reported message only. For the other messages they see only the text.
        view.message_view(
            one, room, hosts, replace(viewed_by, pictures_at=pictures_at) if one.id == message.id else viewed_by
        )
        for one in neighbours
    ]
    author = next((one.name for one in neighbours if one.id == message.id), "")
    if message.is_taken_back and message.user_id is not None:
        # A person who is deleting their account has their name here, because moderators decide about people.
        author = (await shown_names(reader, [message.user_id], with_leaving=True))[message.user_id]
    text, pictures = await messages.reported_content(reader, message.id, removal_sealer(request))
    return {
        "room_name": address.name if address else "",
        "rows": rows,
        "author": author,
        "text": text,
        "shown": {"pictures": picture_views(pictures, author, pictures_at)},
    }


async def _author_context(reader: Reader, room: Room, message: ChatMessage, moderator: Caller) -> dict[str, object]:
    """Whether the author hosts the room, and whether they are or can be banned from it."""
    author = message.user_id
    if author is None:
        return {"is_banned": False, "may_ban": False, "is_host": False}
    access = await access_of_each(reader, room, [author])
    return {
        "is_banned": any(
            one.kind is SanctionKind.BAN and one.of_site
            for one in await sanctions.sanctions_in(reader, room.id, author)
        ),
        "may_ban": author != moderator.user_id,
        "is_host": access.get(author, Access.NONE) is Access.MODERATE,
    }


async def show_picture(request: Request) -> Response:
    """A picture of a reported message. If the message was removed, the picture is available while the message can be
    restored. Raises NotFound.
    """
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        reports = (await objections.reports_to_site(reader, [_message_id(request)])).get(_message_id(request), [])
        message = (await by_ids(reader, [_message_id(request)])).get(_message_id(request))
        picture = await chat_pictures.by_key(reader, key_of(request))
        if message is None or picture is None or picture.message_id != message.id or not _is_theirs(reports, message):
            raise NotFound(MediaReason.NO_SUCH_PICTURE)
    return await picture_response(request, picture)


def _is_theirs(reports: Sequence[objections.SiteReport], message: ChatMessage) -> bool:
    """Whether the site's moderators may see the message."""
    return bool(reports) or message.removed_by_site


def _message_id(request: Request) -> ChatMessageId:
    return ChatMessageId(request.path_params["message"])


async def carry_out(
    tx: Transaction, moderator: Caller, message: ChatMessageId, act: SiteDecision, reason: str, sealer: Sealer
) -> None:
    """Decide about a message, or about whether its author may stay in that chat. The caller has checked that
    ``moderator`` is a moderator.

    Raises NotFound if nothing was reported to the moderators or there is nobody to ban. Also raises InvalidForm,
    InvalidInput, Refused.
    """
    chat_message, room = await messages.lock_moderated_message(tx, moderator, message, of_site=True)
    match act:
        case SiteDecision.REMOVE:
            await messages.remove(tx, moderator, message, reason, sealer, of_site=True)
        case SiteDecision.RESTORE:
            await messages.restore(tx, moderator, message, sealer, of_site=True)
        case SiteDecision.DISMISS:
            await sanctions.dismiss_reports(tx, moderator, message, of_site=True)
        case SiteDecision.UPHOLD:
            await objections.uphold(tx, moderator, message, reason, of_site=True)
        case SiteDecision.BAN | SiteDecision.UNBAN if chat_message.user_id is None:
            raise NotFound(ChatReason.NO_SUCH_MESSAGE)
        case SiteDecision.BAN if chat_message.user_id is not None:
            await sanctions.sanction(
                tx, moderator, room.id, chat_message.user_id, SanctionKind.BAN, reason=reason, of_site=True
            )
        case SiteDecision.UNBAN if chat_message.user_id is not None:
            await sanctions.lift(
                tx, moderator, room.id, chat_message.user_id, reason, kind=SanctionKind.BAN, of_site=True
            )
