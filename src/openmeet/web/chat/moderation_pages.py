"""Moderation pages: report a message or object to a removal. Hosts also see open reports and objections, and the log
in sentences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, NotFound, Refused, TooMany
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.chat import audit_log, message_queries, messages, objections, queries, sanctions
from openmeet.domain.chat.access import require_at_least
from openmeet.domain.chat.audit_log import ChatModerationAction, RoomAction
from openmeet.domain.chat.model import MAX_REASON, Access, ChatMessageId
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.sanctions import MAX_REPORT_COMMENT
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation.model import REASON_LABELS, ReportReason, check_report
from openmeet.domain.paging import Page
from openmeet.i18n.catalogue import LazyText, gettext, lazy
from openmeet.web.chat import view
from openmeet.web.chat.pictures import PATH as PICTURES
from openmeet.web.chat.pictures import picture_views
from openmeet.web.chat.requests import removal_sealer, spend_on_report
from openmeet.web.chat.room_pages import Find
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

_LABELS: Final = {"reason": lazy("What’s wrong"), "words": lazy("In your words")}
_ACTIONS: Final = 50


def routes() -> list[Route]:
    base = "/chat/messages/{message}"
    return [
        Route(f"{base}/report", show_report, methods=["GET"]),
        Route(f"{base}/report", report, methods=["POST"]),
        Route(f"{base}/object", show_removal, methods=["GET"]),
        Route(f"{base}/object", object_to, methods=["POST"]),
        Route(f"{base}/uphold", uphold, methods=["POST"]),
        Route(f"{base}/dismiss", dismiss, methods=["POST"]),
    ]


async def show_report(request: Request) -> Response:
    return await _report_page(request, FormState({}))


async def report(request: Request) -> Response:
    """Report a message to the hosts, or to the moderators of the site."""
    form = await read_form(request)
    caller = caller_of(request)
    try:
        reason, comment = check_report(form.get("reason", ""), form.get("words", ""))
        await spend_on_report(request, caller.user_id, _message_id(request))
        async with database_of(request).transaction() as tx:
            is_new = await sanctions.report(
                tx, caller, _message_id(request), reason, comment, to_tenant=form.get("to") == "site"
            )
    except InvalidForm as wrong:
        return await _report_page(request, form_with_problems(form, wrong), 400)
    except TooMany as refused:
        return await _report_page(request, FormState(form, {"": refused.why}), 429)
    return go(f"/chat/messages/{_message_id(request)}", flash="reported" if is_new else "reported_before")


async def _report_page(request: Request, form_state: FormState, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        chat_message, room, level = await queries.visible_message(reader, _message_id(request), caller.user_id)
        if chat_message.user_id == caller.user_id or chat_message.is_removed:
            raise NotFound(ChatReason.NO_SUCH_MESSAGE)
        (shown,) = await queries.visible_among(reader, room, [chat_message.id], caller.user_id, level)
    context = {
        "message": chat_message,
        "line": view.line_of(shown),
        "name": shown.name,
        "person": f"/people/{chat_message.user_id}/report" if chat_message.user_id else "",
        "reasons": [(reason.value, REASON_LABELS[reason], "") for reason in ReportReason],
        "to": [
            ("hosts", lazy("The hosts of this chat"), ""),
            (
                "site",
                lazy("The moderators of this site"),
                lazy("If it’s about a host, or you don\u2019t want the hosts to decide."),
            ),
        ],
        "typed": FormState({"to": "hosts"} | dict(form_state.values), form_state.problems),
        "labels": _LABELS,
        "most": MAX_REPORT_COMMENT,
    }
    return page(request, "chat/report.html", context, status=status)


async def show_removal(request: Request) -> Response:
    return await _removal_page(request, FormState({}))


async def object_to(request: Request) -> Response:
    form = await read_form(request)
    try:
        async with database_of(request).transaction() as tx:
            await objections.object_to(tx, caller_of(request), _message_id(request), form.get("words", ""))
    except InvalidForm as wrong:
        return await _removal_page(request, form_with_problems(form, wrong), 400)
    except Refused as refused:
        return await _removal_page(request, FormState(form, {"": refused.why}), 422)
    return go(f"/chat/messages/{_message_id(request)}/object", flash="objected")


async def _removal_page(request: Request, form_state: FormState, status: int = 200) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        removal = await objections.own_removal(reader, _message_id(request), caller.user_id)
        text, pictures = await messages.sealed_content(reader, _message_id(request), removal_sealer(request))
        now = reader.now
    context = {
        "removal": removal,
        "text": text,
        "shown": {"pictures": picture_views(pictures, gettext("you"), PICTURES)},
        "now": now,
        "typed": form_state,
        "labels": _LABELS,
        "most": MAX_REASON,
    }
    return page(request, "chat/removal.html", context, status=status)


async def uphold(request: Request) -> Response:
    """Decide that a message stays removed. For the moderators of the chat."""
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        await objections.uphold(tx, caller_of(request), _message_id(request), form.get("reason", ""))
    return go(f"/chat/messages/{_message_id(request)}", flash="act_done")


async def dismiss(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await sanctions.dismiss_reports(tx, caller_of(request), _message_id(request))
    return go(f"/chat/messages/{_message_id(request)}", flash="act_done")


async def show_moderation(find: Find, request: Request) -> Response:
    """Reports to the moderators of the chat, objections, held messages, and past actions. Newest first."""
    caller_of(request)
    async with database_of(request).reader() as reader:
        room_page = await find(reader, request)
        if room_page.room is None:
            raise NotFound(ChatReason.NO_ROOM_YET)
        require_at_least(room_page.access, Access.MODERATE)
        room = room_page.room
        reports = await sanctions.open_reports(reader, room.id)
        objected = await objections.open_in_room(reader, room.id)
        held_messages = await message_queries.held_in(reader, room.id)
        ids = list(dict.fromkeys([*(one.message_id for one in reports), *objected, *held_messages]))
        stored = await message_queries.by_ids(reader, ids)
        shown = {one.id: one for one in await queries.shown(reader, list(stored.values()), None)}
        removals = await objections.removals_of(reader, objected)
        lines = await action_lines(reader, await audit_log.actions_of(reader, room.id, Page(_ACTIONS)))
        hosts = await view.hosts_among(reader, room, list(shown.values()))
        sealer = removal_sealer(request)
        cards = []
        for message in (one for one in ids if one in shown):
            row = view.message_view(shown[message], room, hosts, view.MessageReader(room_page.time_zone, reader.now))
            is_removed = shown[message].message.is_removed
            text, pictures = await messages.sealed_content(reader, message, sealer) if is_removed else ("", ())
            removal = removals.get(message) if message in objected else None
            cards.append(
                {
                    "row": row,
                    "line": view.line_of(shown[message]),
                    "is_held": message in held_messages,
                    "reports": [
                        (REASON_LABELS[one.reason], one.comment) for one in reports if one.message_id == message
                    ],
                    "removal": removal,
                    "text": text,
                    "shown": {"pictures": picture_views(pictures, shown[message].name, PICTURES)},
                }
            )
        now = reader.now
    return page(request, "chat/moderation.html", {"place": room_page, "cards": cards, "lines": lines, "now": now})


@dataclass(frozen=True, slots=True)
class RoomActionLine:
    """What a moderator did, in words."""

    words: str
    reason: str
    at: Instant


_ACTION_LABELS: Final[Mapping[ChatModerationAction, LazyText]] = {
    ChatModerationAction.REMOVED: lazy("%(who)s removed a message by %(name)s."),
    ChatModerationAction.RESTORED: lazy("%(who)s brought back a message by %(name)s."),
    ChatModerationAction.HELD: lazy("%(who)s hid a message by %(name)s."),
    ChatModerationAction.RELEASED: lazy("%(who)s approved a message by %(name)s."),
    ChatModerationAction.MUTED: lazy("%(who)s muted %(name)s."),
    ChatModerationAction.UNMUTED: lazy("%(who)s let %(name)s write again."),
    ChatModerationAction.BANNED: lazy("%(who)s banned %(name)s."),
    ChatModerationAction.UNBANNED: lazy("%(who)s let %(name)s back in."),
    ChatModerationAction.CLOSED: lazy("%(who)s closed the chat."),
    ChatModerationAction.REOPENED: lazy("%(who)s opened the chat again."),
    ChatModerationAction.SETTINGS: lazy("%(who)s changed the settings."),
    ChatModerationAction.DISMISSED: lazy("%(who)s dismissed reports about a message by %(name)s."),
    ChatModerationAction.OBJECTED: lazy("%(who)s objected to a removal."),
    ChatModerationAction.UPHELD: lazy("%(who)s decided that a message by %(name)s stays removed."),
    ChatModerationAction.GUEST_INVITED: lazy("%(who)s invited a guest from Matrix."),
    ChatModerationAction.GUEST_REMOVED: lazy("%(who)s removed a guest from Matrix."),
    ChatModerationAction.GUEST_BANNED: lazy("%(who)s banned a guest from Matrix."),
}


async def action_lines(reader: Reader, acts: Sequence[RoomAction]) -> list[RoomActionLine]:
    """Moderation actions in a room as lines, in order."""
    people = [one for act in acts for one in (act.by_user_id, act.user_id) if one is not None]
    names = await shown_names(reader, people)
    return [
        RoomActionLine(
            _ACTION_LABELS[act.act].filled(
                who=names[act.by_user_id] if act.by_user_id else gettext("This site"),
                name=names[act.user_id] if act.user_id else gettext("somebody"),
            ),
            act.reason,
            act.at,
        )
        for act in acts
    ]


def _message_id(request: Request) -> ChatMessageId:
    return ChatMessageId(request.path_params["message"])
