"""Chat messages that wait for the site’s moderators, as JSON: the list, one message with its context, and decisions.

Like the pages, it shows only messages that were reported to these moderators and a few messages around each.
"""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response, read_json
from groundwork.sealing import Sealer
from openmeet.domain.chat import messages, objections, queries
from openmeet.domain.chat.addresses import addresses_of
from openmeet.domain.chat.message_queries import around, by_ids
from openmeet.domain.chat.model import ChatMessageId
from openmeet.domain.chat.objections import Removal, SiteReport
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.room_queries import by_ids as rooms_by_ids
from openmeet.domain.chat.sanctions import SanctionKind, sanctions_in
from openmeet.domain.moderation.model import ReportReason
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import CURSOR, limit_of
from openmeet.web.chat.requests import removal_sealer
from openmeet.web.moderation.access import moderator_of, position_of
from openmeet.web.moderation.chat_pages import SiteDecision, carry_out
from openmeet.web.site.tenant_routing import database_of

_PAGE: Final = 25
_MAX_PAGE: Final = 100
# Number of messages shown before and after the reported one.
_AROUND: Final = 5


class SiteReportShown(msgspec.Struct, rename="camel"):
    """A report to the moderators of the site. It does not say who made it."""

    reason: ReportReason
    words: str
    created_at: str
    is_open: bool


class WaitingMessage(msgspec.Struct, rename="camel"):
    """A message that waits for a decision. ``room`` is the name of its chat. ``since`` is the time of the first report
    or of the objection. ``objection`` is the author's objection to a removal by the site, or null.
    """

    message_id: str
    room: str
    since: str
    reports: list[SiteReportShown]
    objection: str | None


class WaitingMessages(msgspec.Struct, rename="camel"):
    """One page of messages that wait for a moderator, longest waiting first. ``cursor`` is null on the last page."""

    messages: list[WaitingMessage]
    cursor: str | None


class ContextMessage(msgspec.Struct, rename="camel"):
    """The reported message or one near it. ``text`` is empty if it was removed."""

    id: str
    number: int
    author_id: str | None
    author_name: str
    said_at: str
    text: str
    is_removed: bool


class ReportedMessage(msgspec.Struct, rename="camel"):
    """A reported message with the messages around it in ``context`` and at most 100 ``reports``. ``removedText`` is the
    text of a removed message, available for 30 days, or of one whose author is deleting their account.
    ``removedBySite`` means that the moderators of the site removed it, and only they can restore it. ``isAuthorBanned``
    means that they have banned the author from this chat.
    """

    message_id: str
    room_id: str
    room: str
    context: list[ContextMessage]
    reports: list[SiteReportShown]
    removed_text: str
    removed_by_site: bool
    removal_reason: str | None
    objection: str | None
    is_author_banned: bool


class ChatDecision(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The decision ``act``. ``remove`` and ``ban`` require a reason, which the author can read. ``restore`` and
    ``unban`` reverse them. ``dismiss`` means that nothing is wrong with the message. ``uphold`` rejects an objection,
    so the message stays removed.
    """

    act: SiteDecision
    reason: str = ""


async def list_waiting(request: Request) -> Response:
    most = limit_of(request, _PAGE, _MAX_PAGE)
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        after = position_of(request.query_params.get("cursor", ""))
        waiting = await objections.waiting_for_site(
            reader, limit=most + 1, after=None if after is None else (after[0], ChatMessageId(after[1]))
        )
        ids = [message for message, _ in waiting[:most]]
        stored = await by_ids(reader, ids)
        rooms = await rooms_by_ids(reader, {one.room_id for one in stored.values()})
        addresses = await addresses_of(reader, list(rooms.values()), None)
        reports = await objections.reports_to_site(reader, ids)
        removals = await objections.removals_of(reader, ids)
    shown = [
        WaitingMessage(
            message,
            addresses[stored[message].room_id].name if stored[message].room_id in addresses else "",
            iso(since),
            [_report_output(one) for one in reports.get(message, []) if one.is_open],
            _open_objection(removals.get(message)) if stored[message].removed_by_site else None,
        )
        for message, since in waiting[:most]
    ]
    last = waiting[most - 1] if len(waiting) > most else None
    return json_response(WaitingMessages(shown, f"{last[1]}:{last[0]}" if last else None))


async def show_reported(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        message = await _reported_message(reader, _message_id(request), removal_sealer(request))
    return json_response(message)


async def decide_reported(request: Request) -> Response:
    body, sealer = await read_json(request, ChatDecision), removal_sealer(request)
    async with database_of(request).transaction() as tx:
        message = await _decide_message(tx, request, body, sealer)
    return json_response(message)


async def _decide_message(tx: Transaction, request: Request, decision: ChatDecision, sealer: Sealer) -> ReportedMessage:
    moderator = await moderator_of(tx, request)
    await carry_out(tx, moderator, _message_id(request), decision.act, decision.reason, sealer)
    return await _reported_message(tx, _message_id(request), sealer)


async def _reported_message(reader: Reader, message_id: ChatMessageId, sealer: Sealer) -> ReportedMessage:
    """The reported message. Raises NotFound if it was not reported to the moderators of the site."""
    reports = (await objections.reports_to_site(reader, [message_id])).get(message_id, [])
    message = (await by_ids(reader, [message_id])).get(message_id)
    if message is None or not (reports or message.removed_by_site):
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    rooms = await rooms_by_ids(reader, [message.room_id])
    addresses = await addresses_of(reader, list(rooms.values()), None)
    near = await queries.shown(reader, await around(reader, message, _AROUND), None)
    text, _ = await messages.reported_content(reader, message_id, sealer)
    removal = (await objections.removals_of(reader, [message_id])).get(message_id)
    banned = message.user_id is not None and any(
        one.kind is SanctionKind.BAN and one.of_site
        for one in await sanctions_in(reader, message.room_id, message.user_id)
    )
    return ReportedMessage(
        message_id=message.id,
        room_id=message.room_id,
        room=addresses[message.room_id].name if message.room_id in addresses else "",
        context=[
            ContextMessage(
                one.id,
                one.number,
                one.message.user_id,
                one.name,
                iso(one.message.said_at),
                one.message.body,
                one.message.is_removed,
            )
            for one in near
        ],
        reports=[_report_output(one) for one in reports[:_MAX_PAGE]],
        removed_text=text,
        removed_by_site=message.removed_by_site,
        removal_reason=removal.reason if removal else None,
        objection=_open_objection(removal) if message.removed_by_site else None,
        is_author_banned=banned,
    )


def _report_output(report: SiteReport) -> SiteReportShown:
    return SiteReportShown(report.reason, report.comment, iso(report.at), report.is_open)


def _open_objection(removal: Removal | None) -> str | None:
    return removal.objection if removal is not None and not removal.is_decided else None


def _message_id(request: Request) -> ChatMessageId:
    return ChatMessageId(request.path_params["message"])


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/moderation/chat",
        "listReportedChat",
        "Chat messages reported to the moderators of the site, and objections. For moderators",
        list_waiting,
        {200: WaitingMessages},
        parameters=(CURSOR, Parameter("limit", f"Items per page, 1 to {_MAX_PAGE}", shape=int)),
        failures=(403,),
    ),
    ApiOperation(
        "GET",
        "/api/moderation/chat/{message}",
        "showReportedChat",
        "One reported chat message, with the messages around it. For moderators",
        show_reported,
        {200: ReportedMessage},
        failures=(403, 404),
    ),
    ApiOperation(
        "POST",
        "/api/moderation/chat/{message}",
        "decideReportedChat",
        "Remove or restore a chat message, dismiss its reports, reject an objection, or ban its author from that "
        "chat. For moderators",
        decide_reported,
        {200: ReportedMessage},
        ChatDecision,
        failures=(403, 404, 422),
    ),
)
