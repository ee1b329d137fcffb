"""Moderation of a room, as JSON: restore, pin, hold, report, object, mute and ban."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader, Transaction
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.chat import audit_log, message_queries, messages, objections, queries, reactions, sanctions
from openmeet.domain.chat.access import require_access
from openmeet.domain.chat.audit_log import ChatModerationAction, RoomAction
from openmeet.domain.chat.model import Access, ChatMessageId
from openmeet.domain.chat.sanctions import MessageReport, Sanction, SanctionKind
from openmeet.domain.moderation.model import ReportReason
from openmeet.domain.users.model import Caller, UserId
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.web.api.instants import parse_optional_instant
from openmeet.web.api.pagination import paging
from openmeet.web.chat.requests import message_id, removal_sealer, room_id, spend_on_report
from openmeet.web.chat.schemas import (
    ActionReasonInput,
    message_shown,
)
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of


class ChatReportWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A report. ``words`` is required if the reason is ``other``. ``toTenant`` sends it to the moderators of the site
    instead of the hosts.
    """

    reason: ReportReason
    words: str = ""
    to_tenant: bool = False


class ChatObjectionWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Why the caller objects to the removal of their message. The moderators who removed it will read this."""

    words: str


class ChatRemovalShown(msgspec.Struct, rename="camel"):
    """Why moderators removed a message of the caller. ``text`` is the text of the message while it can still be
    restored (30 days). ``objection`` is the caller's objection, or null. ``isDecided`` means that the objection was
    rejected and the message stays removed; ``decision`` says why.
    """

    reason: str
    at: str
    text: str
    objection: str | None
    is_decided: bool
    decision: str


class SanctionWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Mute or ban somebody. Without ``until``, the sanction lasts until it is lifted."""

    kind: SanctionKind
    reason: str
    until: str | None = None


class SanctionShown(msgspec.Struct, rename="camel"):
    """A sanction in force."""

    person_id: str
    kind: SanctionKind
    reason: str
    until: str | None
    decided_by: str
    at: str
    # Imposed by the moderators of the site, and only they can lift it.
    of_site: bool


class SanctionList(msgspec.Struct, rename="camel"):
    """The sanctions of one person in a room that are in force. May be empty."""

    sanctions: list[SanctionShown]


class RoomActionOutput(msgspec.Struct, rename="camel"):
    """An action of a host. ``actedBy`` is null if the software acted automatically."""

    id: str
    act: ChatModerationAction
    message_id: str | None
    person_id: str | None
    acted_by: str | None
    reason: str
    until: str | None
    at: str


class MessageReportShown(msgspec.Struct, rename="camel"):
    """A report about a message of the room. It does not say who made the report."""

    id: str
    message_id: str
    reason: ReportReason
    words: str
    at: str


class ChatObjectionShown(msgspec.Struct, rename="camel"):
    """An author's objection to the removal of their message. It waits for a decision: restore the message, or uphold
    the removal.
    """

    message_id: str
    words: str
    reason: str


class ModerationShown(msgspec.Struct, rename="camel"):
    """Actions, newest first, and everything that waits for a decision: reports, objections, and held messages (``held``
    has their ids). ``cursor`` leads to earlier actions.
    """

    acts: list[RoomActionOutput]
    reports: list[MessageReportShown]
    objections: list[ChatObjectionShown]
    held: list[str]
    cursor: str | None


def sanction_shown(sanction: Sanction) -> SanctionShown:
    return SanctionShown(
        sanction.user_id,
        sanction.kind,
        sanction.reason,
        iso_or_none(sanction.until),
        sanction.by_user_id,
        iso(sanction.at),
        sanction.of_site,
    )


def action_shown(act: RoomAction) -> RoomActionOutput:
    return RoomActionOutput(
        act.id,
        act.act,
        act.message_id,
        act.user_id,
        act.by_user_id,
        act.reason,
        iso_or_none(act.until),
        iso(act.at),
    )


def report_shown(report: MessageReport) -> MessageReportShown:
    return MessageReportShown(report.id, report.message_id, report.reason, report.comment, iso(report.at))


def _handler(
    act: Callable[[Transaction, Caller, ChatMessageId], Awaitable[Any]],
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        caller = caller_of(request)
        async with database_of(request).transaction() as tx:
            await act(tx, caller, message_id(request))
            message, _, _ = await queries.visible_message(tx, message_id(request), caller.user_id)
            (shown,) = await queries.shown(tx, [message], caller.user_id)
        return json_response(message_shown(shown))

    return answer


pin_message = _handler(reactions.pin)
unpin_message = _handler(reactions.unpin)
hold_message = _handler(messages.hold)
release_message = _handler(messages.release)


async def restore_message(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        message = await messages.restore(tx, caller, message_id(request), removal_sealer(request))
        (shown,) = await queries.shown(tx, [message], caller.user_id)
    return json_response(message_shown(shown))


async def report_message(request: Request) -> Response:
    body = await read_json(request, ChatReportWanted)
    await spend_on_report(request, caller_of(request).user_id, message_id(request))
    async with database_of(request).transaction() as tx:
        await sanctions.report(
            tx, caller_of(request), message_id(request), body.reason, body.words, to_tenant=body.to_tenant
        )
    return Response(status_code=202)


async def show_removal(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        removal = await _removal_output(reader, request)
    return json_response(removal)


async def object_to_removal(request: Request) -> Response:
    body = await read_json(request, ChatObjectionWanted)
    async with database_of(request).transaction() as tx:
        await objections.object_to(tx, caller_of(request), message_id(request), body.words)
        removal = await _removal_output(tx, request)
    return json_response(removal)


async def _removal_output(reader: Reader, request: Request) -> ChatRemovalShown:
    removal = await objections.own_removal(reader, message_id(request), caller_of(request).user_id)
    text, _ = await messages.sealed_content(reader, message_id(request), removal_sealer(request))
    return ChatRemovalShown(
        removal.reason,
        iso(removal.at),
        text,
        removal.objection,
        is_decided=removal.is_decided,
        decision=removal.decision,
    )


async def uphold_removal(request: Request) -> Response:
    body = await read_json(request, ActionReasonInput, is_optional=True)
    async with database_of(request).transaction() as tx:
        await objections.uphold(tx, caller_of(request), message_id(request), body.reason)
    return Response(status_code=204)


async def dismiss_reports(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await sanctions.dismiss_reports(tx, caller_of(request), message_id(request))
    return Response(status_code=204)


def _person_id(request: Request) -> UserId:
    return UserId(request.path_params["person"])


async def list_sanctions(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        await require_access(reader, room_id(request), caller_of(request).user_id, Access.MODERATE)
        active_sanctions = await sanctions.sanctions_in(reader, room_id(request), _person_id(request))
    return json_response(SanctionList([sanction_shown(one) for one in active_sanctions]))


async def put_sanction(request: Request) -> Response:
    body = await read_json(request, SanctionWanted)
    async with database_of(request).transaction() as tx:
        sanction = await sanctions.sanction(
            tx,
            caller_of(request),
            room_id(request),
            _person_id(request),
            body.kind,
            reason=body.reason,
            until=parse_optional_instant(body.until, "until"),
        )
    return json_response(sanction_shown(sanction))


async def lift_sanctions(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await sanctions.lift(tx, caller_of(request), room_id(request), _person_id(request))
    return Response(status_code=204)


async def show_moderation(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        await require_access(reader, room_id(request), caller_of(request).user_id, Access.MODERATE)
        read = await audit_log.actions_of(reader, room_id(request), page)
        shown_acts, cursor = page.cut(read, lambda one: (int(one.at), one.id))
        reports = await sanctions.open_reports(reader, room_id(request))
        removals = await objections.removals_of(reader, await objections.open_in_room(reader, room_id(request)))
        held_messages = await message_queries.held_in(reader, room_id(request))
    objected = [ChatObjectionShown(one.message_id, one.objection or "", one.reason) for one in removals.values()]
    return json_response(
        ModerationShown(
            [action_shown(one) for one in shown_acts],
            [report_shown(one) for one in reports],
            objected,
            list(held_messages),
            cursor,
        )
    )
