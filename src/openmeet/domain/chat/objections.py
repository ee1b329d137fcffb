"""Objections of authors to the removal of their messages, and reports to the community's moderators.

Objections are read from the ``audit_log``: an objection is open until a later entry restores the message or
upholds the removal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, NotFound, Refused
from openmeet.domain.chat import log, message_queries, messages, notify, room_queries
from openmeet.domain.chat.audit_log import SHOWN_REASON, ChatModerationAction, note_action
from openmeet.domain.chat.message_queries import is_by_leaving
from openmeet.domain.chat.model import MAX_REASON, SEALED_FOR, ChatMessageId, LogKind, RoomId
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.moderation.model import ReportReason
from openmeet.domain.notifications import chat_kinds
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason

_MAX_OBJECTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Removal:
    """Why a message was removed, and its author's objection, None without one. ``decision`` is why the removal was
    upheld; often empty.
    """

    message_id: ChatMessageId
    reason: str
    at: Instant
    objection: str | None
    is_decided: bool
    decision: str = ""


async def removals_of(reader: Reader, ids: Sequence[ChatMessageId]) -> dict[ChatMessageId, Removal]:
    """The last removal of each message by a moderator, with the author's objection since."""
    if not ids:
        return {}
    rows = await reader.fetch(
        f"select message_id, act, {SHOWN_REASON}, at from chat_acts a where message_id in :ids"
        " and act in ('removed', 'objected', 'restored', 'upheld') order by at, id",
        ids=sorted(set(ids)),
    )
    removals: dict[ChatMessageId, Removal] = {}
    for row in rows:
        message = ChatMessageId(row["message_id"])
        before = removals.get(message)
        match ChatModerationAction(row["act"]):
            case ChatModerationAction.REMOVED:
                removals[message] = Removal(message, row["reason"], row["at"], None, is_decided=False)
            case ChatModerationAction.RESTORED:
                removals.pop(message, None)
            case ChatModerationAction.OBJECTED if before is not None:
                removals[message] = Removal(message, before.reason, before.at, row["reason"], is_decided=False)
            case ChatModerationAction.UPHELD if before is not None:
                removals[message] = replace(before, is_decided=True, decision=row["reason"])
            case _:
                pass
    return removals


async def own_removal(reader: Reader, message_id: ChatMessageId, person: UserId) -> Removal:
    """Why a message of this person was removed. They can read this even if they have lost access since. Raises
    NotFound.
    """
    message = await message_queries.by_id(reader, message_id)
    removal = (await removals_of(reader, [message_id])).get(message_id)
    if (
        message is None
        or message.user_id != person
        or not message.is_removed
        or message.is_taken_back
        or removal is None
    ):
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    return removal


async def object_to(tx: Transaction, caller: Caller, message_id: ChatMessageId, words: str) -> None:
    """Object to the removal of one's own message, once per removal and only while it can be restored.

    Raises NotFound, InvalidForm (``words``), Refused (``AlreadyObjected``, ``NothingToObjectTo``).
    """
    message = await message_queries.by_id(tx, message_id)
    if message is not None:
        await room_queries.lock(tx, message.room_id)
    removal = await own_removal(tx, message_id, caller.user_id)
    objection_text = words.strip()
    if not objection_text:
        raise InvalidForm({"words": ChatReason.REASON_NEEDED()})
    if len(objection_text) > MAX_REASON:
        raise InvalidForm({"words": GeneralReason.TEXT_TOO_LONG(most=MAX_REASON)})
    if removal.objection is not None:
        raise Refused(ChatReason.ALREADY_OBJECTED, name="AlreadyObjected")
    removed_message = await tx.fetch_one(
        "select 1 as found from chat_removed where message_id = :id and until > :now", id=message_id, now=tx.now
    )
    if message is None or removed_message is None:
        raise Refused(ChatReason.NOTHING_TO_OBJECT_TO, name="NothingToObjectTo", days=SEALED_FOR // DAY)
    await note_action(
        tx,
        message.room_id,
        ChatModerationAction.OBJECTED,
        by=caller.user_id,
        message=message.id,
        about=caller.user_id,
        reason=objection_text,
    )


async def uphold(
    tx: Transaction, caller: Caller, message_id: ChatMessageId, reason: str = "", *, of_site: bool = False
) -> None:
    """Decide that the message stays removed. Its author is notified. ``of_site``: see
    ``messages.lock_moderated_message``.

    Raises NotFound, Forbidden, Refused (``RemovedBySite``).
    """
    message, room = await messages.lock_moderated_message(tx, caller, message_id, of_site=of_site)
    messages.require_may_decide_removal(message, of_site=of_site)
    removal = (await removals_of(tx, [message.id])).get(message.id)
    if removal is None or removal.objection is None or removal.is_decided:
        return
    explanation = reason.strip()[:MAX_REASON]
    await note_action(
        tx,
        room.id,
        ChatModerationAction.UPHELD,
        by=caller.user_id,
        message=message.id,
        about=message.user_id,
        reason=explanation,
    )
    await notify.notify_author(tx, chat_kinds.CHAT_UPHELD, message, await log.append(tx, room.id, LogKind.ROOM))


# SQL condition on ``a``. The side that removed the message decides: the hosts, or the community's moderators
# (``:of_site``).
OPEN_OBJECTION: Final = f"""
    a.act = 'objected' and not exists (
      select 1 from chat_acts l where l.message_id = a.message_id and l.act in ('restored', 'upheld')
         and (l.at > a.at or l.at = a.at and l.id > a.id))
    and exists (select 1 from chat_messages r where r.id = a.message_id and r.removed_by_site = :of_site
                   and not {is_by_leaving("r")})
"""


async def open_in_room(reader: Reader, room: RoomId) -> list[ChatMessageId]:
    """Messages of a room whose authors object to a removal by its hosts, those waiting longest first."""
    rows = await reader.fetch(
        f"select a.message_id from chat_acts a where a.room_id = :room and {OPEN_OBJECTION} order by a.at, a.id "
        f"limit {_MAX_OBJECTIONS}",
        room=room,
        of_site=0,
    )
    return [ChatMessageId(row["message_id"]) for row in rows]


@dataclass(frozen=True, slots=True)
class SiteReport:
    """A report to the community's moderators."""

    message_id: ChatMessageId
    reason: ReportReason
    comment: str
    at: Instant
    is_open: bool


_TO_SITE: Final = f"""
    select p.message_id, p.at as since from chat_reports p where p.to_tenant = 1 and p.closed_at is null
    union all
    select a.message_id, a.at from chat_acts a where {OPEN_OBJECTION}
"""


async def count_for_site(reader: Reader) -> int:
    """Number of messages that wait for the community's moderators: reported to them, or removed by them and objected
    to.
    """
    row = await reader.fetch_one(f"select count(distinct w.message_id) as number from ({_TO_SITE}) w", of_site=1)
    return int(row["number"]) if row else 0


async def waiting_for_site(
    reader: Reader, *, limit: int, after: tuple[Instant, str] | None = None
) -> list[tuple[ChatMessageId, Instant]]:
    """The messages that wait for the community's moderators, and since when; those waiting longest first."""
    further = "" if after is None else "having (min(w.since), w.message_id) > (cast(:since as bigint), :after)"
    rows = await reader.fetch(
        f"select w.message_id, min(w.since) as since from ({_TO_SITE}) w group by w.message_id {further}"
        " order by min(w.since), w.message_id limit :limit",
        limit=limit,
        of_site=1,
        **({} if after is None else {"since": after[0], "after": after[1]}),
    )
    return [(ChatMessageId(row["message_id"]), Instant(row["since"])) for row in rows]


async def reports_to_site(reader: Reader, ids: Sequence[ChatMessageId]) -> dict[ChatMessageId, list[SiteReport]]:
    """The reports about these messages to the community's moderators, oldest first, without the people who reported
    them.
    """
    if not ids:
        return {}
    rows = await reader.fetch(
        "select message_id, reason, comment, at, closed_at from chat_reports where message_id in :ids and to_tenant = 1"
        " order by at, id limit 500",
        ids=sorted(set(ids)),
    )
    reports: dict[ChatMessageId, list[SiteReport]] = {}
    for row in rows:
        message = ChatMessageId(row["message_id"])
        report = SiteReport(message, ReportReason(row["reason"]), row["comment"], row["at"], row["closed_at"] is None)
        reports.setdefault(message, []).append(report)
    return reports
