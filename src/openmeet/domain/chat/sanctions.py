"""Mutes and bans of a room, and reports about messages. The room's moderation log has every decision, with author and
reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import InvalidForm, NotFound, Refused, Why
from groundwork.uuid7 import new_id
from openmeet.domain.chat import log, message_queries, messages, room_queries
from openmeet.domain.chat.access import access, access_of_each, require_access
from openmeet.domain.chat.audit_log import SHOWN_REASON, ChatModerationAction, note_action
from openmeet.domain.chat.message_queries import is_by_leaving
from openmeet.domain.chat.model import MAX_REASON, Access, ChatMessageId, LogKind, Room, RoomId
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.moderation.model import ReportReason
from openmeet.domain.notifications import chat_kinds
from openmeet.domain.notifications.chat_kinds import ChatSanctioned
from openmeet.domain.notifications.notify import Notice, notify
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason

MAX_REPORT_COMMENT: Final = 2_000
# This many reports by different people hide a newcomer's message until a moderator has looked at it.
_REPORTS_THAT_HOLD: Final = 2
# A newcomer is an author with fewer visible messages than this.
_NEWCOMER: Final = 10


class SanctionKind(StrEnum):
    """``MUTE``: can read but not write. ``BAN``: can do neither."""

    MUTE = "mute"
    BAN = "ban"

    @property
    def severity(self) -> int:
        """Of several sanctions, people are told about the one with the highest severity."""
        match self:
            case SanctionKind.MUTE:
                return 1
            case SanctionKind.BAN:
                return 2
            case _:
                assert_never(self)

    @property
    def act(self) -> ChatModerationAction:
        """The decision to impose it, in the moderation log."""
        match self:
            case SanctionKind.MUTE:
                return ChatModerationAction.MUTED
            case SanctionKind.BAN:
                return ChatModerationAction.BANNED
            case _:
                assert_never(self)

    @property
    def lifting_act(self) -> ChatModerationAction:
        """The decision to lift it, in the moderation log."""
        match self:
            case SanctionKind.MUTE:
                return ChatModerationAction.UNMUTED
            case SanctionKind.BAN:
                return ChatModerationAction.UNBANNED
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Sanction:
    """A mute or ban of a person in a room. ``until`` is None if it lasts until it is lifted. ``of_site`` is True if a
    moderator of the community decided it. Sanctions by the community and by the hosts are independent: each side can
    lift only its own.
    """

    room_id: RoomId
    user_id: UserId
    kind: SanctionKind
    until: Instant | None
    reason: str
    by_user_id: UserId
    at: Instant
    of_site: bool


def _sanction(row: Row) -> Sanction:
    return Sanction(
        RoomId(row["room_id"]),
        UserId(row["user_id"]),
        SanctionKind(row["kind"]),
        row["until"],
        row["reason"],
        UserId(row["by_user_id"]),
        row["at"],
        bool(row["of_site"]),
    )


async def sanctions_in(reader: Reader, room: RoomId, person: UserId | None = None) -> list[Sanction]:
    """Sanctions in force in a room, of one person or all, newest first. Those of people who are deleting their account
    are left out.
    """
    rows = await reader.fetch(
        f"select room_id, user_id, kind, until, {SHOWN_REASON}, by_user_id, at, of_site from chat_sanctions a"
        " where room_id = :room and lifted_at is null and (until is null or until > :now) "
        f"and not {is_leaving('a.user_id')}{' and user_id = :person' if person else ''} "
        "order by at desc, user_id, kind, of_site",
        room=room,
        now=reader.now,
        **({"person": person} if person else {}),
    )
    return [_sanction(row) for row in rows]


async def sanctions_of(reader: Reader, person: UserId, rooms: Sequence[RoomId]) -> list[Sanction]:
    """Sanctions in force of one person in these rooms, newest first."""
    if not rooms:
        return []
    rows = await reader.fetch(
        f"select room_id, user_id, kind, until, {SHOWN_REASON}, by_user_id, at, of_site from chat_sanctions a"
        " where user_id = :person and room_id in :rooms and lifted_at is null and (until is null or until > :now)"
        " order by at desc, room_id, kind, of_site",
        person=person,
        rooms=sorted(set(rooms)),
        now=reader.now,
    )
    return [_sanction(row) for row in rows]


async def sanction(
    tx: Transaction,
    caller: Caller,
    room: RoomId,
    person: UserId,
    kind: SanctionKind,
    *,
    reason: str,
    until: Instant | None = None,
    of_site: bool = False,
) -> Sanction:
    """Mute or ban a person, who is notified. A new decision replaces the previous one of the same kind by the same
    side, hosts or community. Hosts decide only about people for whom ``is_known_in`` holds. With ``of_site``, a
    moderator of the community decides, who can also ban hosts.

    Raises NotFound, Forbidden (``NotAModerator``), InvalidForm (``reason``, ``until``), Refused (``RunsTheRoom``).
    """
    locked = await room_queries.lock(tx, room)
    if not of_site:
        await require_access(tx, room, caller.user_id, Access.MODERATE)
    if locked is None:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    checked_reason = reason.strip()
    _check_reason_and_end(checked_reason, until, tx.now)
    if not (await user_queries.by_id(tx, person) if of_site else await is_known_in(tx, locked, person)):
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    if person == caller.user_id or (not of_site and await access(tx, room, person) is Access.MODERATE):
        raise Refused(ChatReason.RUNS_THE_ROOM, name="RunsTheRoom")
    await tx.execute(
        """
        insert into chat_sanctions (room_id, user_id, kind, of_site, until, reason, by_user_id, at)
        values (:room, :person, :kind, :of_site, :until, :reason, :by, :now)
            on conflict (room_id, user_id, kind, of_site) do update
           set until = excluded.until, reason = excluded.reason, by_user_id = excluded.by_user_id, at = excluded.at,
               lifted_at = null
        """,
        room=room,
        person=person,
        kind=kind.value,
        of_site=int(of_site),
        until=until,
        reason=checked_reason,
        by=caller.user_id,
        now=tx.now,
    )
    await note_action(tx, room, kind.act, by=caller.user_id, about=person, reason=checked_reason, until=until)
    number = await log.append(tx, room, LogKind.ROOM)
    await notify(
        tx, chat_kinds.CHAT_SANCTIONED, Notice([person], room, number, ChatSanctioned(kind=kind.value, of_site=of_site))
    )
    return Sanction(room, person, kind, until, checked_reason, caller.user_id, tx.now, of_site)


async def is_known_in(reader: Reader, room: Room, person: UserId) -> bool:
    """Whether the person is in the room, wrote in it, or is muted or banned in it. Its moderators see the names of
    these people only. Otherwise they would learn the name of any user whose id they know.
    """
    return (
        (await access_of_each(reader, room, [person])).get(person, Access.NONE) is not Access.NONE
        or await message_queries.has_written(reader, room.id, person)
        or bool(await sanctions_in(reader, room.id, person))
    )


def _check_reason_and_end(reason: str, until: Instant | None, now: Instant) -> None:
    """Raise InvalidForm (``reason``, ``until``)."""
    problems: dict[str, Why] = {}
    if not reason:
        problems["reason"] = ChatReason.REASON_NEEDED
    elif len(reason) > MAX_REASON:
        problems["reason"] = GeneralReason.TEXT_TOO_LONG(most=MAX_REASON)
    if until is not None and until <= now:
        problems["until"] = ChatReason.MOMENT_OVER
    if problems:
        raise InvalidForm(problems)


async def lift(
    tx: Transaction,
    caller: Caller,
    room: RoomId,
    person: UserId,
    reason: str = "",
    *,
    kind: SanctionKind | None = None,
    of_site: bool = False,
) -> None:
    """Lift the sanctions of a person in a room, of one kind or all: those by its hosts, or with ``of_site`` those by
    the community's moderators. The person is notified. Without any sanction, nothing happens.

    Raises NotFound, Forbidden, Refused (``SanctionedBySite``) if only the other side can lift the sanctions in force.
    """
    await room_queries.lock(tx, room)
    if not of_site:
        await require_access(tx, room, caller.user_id, Access.MODERATE)
    active = [one for one in await sanctions_in(tx, room, person) if kind is None or one.kind is kind]
    own = [one for one in active if one.of_site is of_site]
    if not own:
        if active and not of_site:
            raise Refused(ChatReason.SANCTIONED_BY_SITE, name="SanctionedBySite")
        return
    for one in own:
        await tx.execute(
            "update chat_sanctions set lifted_at = :now"
            " where room_id = :room and user_id = :person and kind = :kind and of_site = :of_site",
            now=tx.now,
            room=room,
            person=person,
            kind=one.kind.value,
            of_site=int(of_site),
        )
        await note_action(
            tx, room, one.kind.lifting_act, by=caller.user_id, about=person, reason=reason.strip()[:MAX_REASON]
        )
    number = await log.append(tx, room, LogKind.ROOM)
    await notify(tx, chat_kinds.CHAT_LIFTED, Notice([person], room, number, ChatSanctioned(of_site=of_site)))


async def report(
    tx: Transaction,
    caller: Caller,
    message_id: ChatMessageId,
    reason: ReportReason,
    comment: str = "",
    *,
    to_tenant: bool = False,
) -> bool:
    """Report a message to the moderators of its room. If its author is one of them, or with ``to_tenant``, the report
    goes to the community's moderators. Return False if this person has already reported it, unless the new report goes
    to the community's moderators and the earlier one did not.

    Raises NotFound, InvalidForm (``words``).
    """
    message, room, _ = await messages.lock_visible_message(tx, caller, message_id)
    text = comment.strip()
    if len(text) > MAX_REPORT_COMMENT:
        raise InvalidForm({"words": GeneralReason.TEXT_TOO_LONG(most=MAX_REPORT_COMMENT)})
    if reason is ReportReason.OTHER and not text:
        raise InvalidForm({"words": ChatReason.REASON_NEEDED()})
    about_moderator = message.user_id is not None and await access(tx, room.id, message.user_id) is Access.MODERATE
    made = await tx.execute(
        """
        insert into chat_reports (id, message_id, reporter_id, reason, comment, to_tenant, at)
        values (:id, :message, :person, :reason, :comment, :to_tenant, :now)
            on conflict (message_id, reporter_id) where reporter_id is not null do update
           set reason = excluded.reason, comment = excluded.comment, to_tenant = excluded.to_tenant, at = excluded.at,
               closed_at = null, outcome = null
         where chat_reports.to_tenant < excluded.to_tenant
        """,
        id=new_id(tx.now),
        message=message.id,
        person=caller.user_id,
        reason=reason.value,
        comment=text,
        to_tenant=int(to_tenant or about_moderator),
        now=tx.now,
    )
    if (
        made
        and not message.is_held
        and not message.is_removed
        and await _is_to_be_held(tx, message.id, message.user_id)
    ):
        await note_action(tx, room.id, ChatModerationAction.HELD, by=None, message=message.id, about=message.user_id)
        await messages.set_held(tx, message, held=True)
    return bool(made)


async def _is_to_be_held(reader: Reader, message: ChatMessageId, author: UserId | None) -> bool:
    row = await reader.fetch_one(
        """
        select (select count(*) from chat_reports where message_id = :message and closed_at is null) as reports,
               (select count(*) from (select 1 as one from chat_messages where user_id = :author and removed_at is null
                  and held_at is null limit :most) m) as said
        """,
        message=message,
        author=author,
        most=_NEWCOMER,
    )
    return row is not None and row["reports"] >= _REPORTS_THAT_HOLD and row["said"] < _NEWCOMER


@dataclass(frozen=True, slots=True)
class MessageReport:
    """A report. The person who reported is not included."""

    id: str
    message_id: ChatMessageId
    reason: ReportReason
    comment: str
    at: Instant


async def open_reports(reader: Reader, room: RoomId, *, limit: int = 100) -> list[MessageReport]:
    """Undecided reports for the moderators of a room, oldest first."""
    rows = await reader.fetch(
        "select p.id, p.message_id, p.reason, p.comment, p.at from chat_reports p "
        "join chat_messages m on m.id = p.message_id where m.room_id = :room and p.closed_at is null "
        f"and p.to_tenant = 0 and not {is_by_leaving()} order by p.at, p.id limit :limit",
        room=room,
        limit=limit,
    )
    return [
        MessageReport(
            row["id"], ChatMessageId(row["message_id"]), ReportReason(row["reason"]), row["comment"], row["at"]
        )
        for row in rows
    ]


async def dismiss_reports(tx: Transaction, caller: Caller, message_id: ChatMessageId, *, of_site: bool = False) -> int:
    """Decide that the reports of a message to these moderators need no action. Return how many there were. A message
    that was hidden only because of reports is shown again.

    Raises NotFound, Forbidden (``NotAModerator``).
    """
    message, _ = await messages.lock_moderated_message(tx, caller, message_id, of_site=of_site)
    closed = await tx.execute(
        "update chat_reports set closed_at = :now, outcome = 'dismissed'"
        " where message_id = :id and closed_at is null and to_tenant = :of_site",
        now=tx.now,
        id=message_id,
        of_site=int(of_site),
    )
    if closed:
        await note_action(
            tx,
            message.room_id,
            ChatModerationAction.DISMISSED,
            by=caller.user_id,
            message=message_id,
            about=message.user_id,
        )
        is_still_held = await _is_to_be_held(tx, message.id, message.user_id)
        if message.is_held and not is_still_held and await _is_held_by_reports(tx, message.id):
            await note_action(
                tx,
                message.room_id,
                ChatModerationAction.RELEASED,
                by=caller.user_id,
                message=message.id,
                about=message.user_id,
            )
            await messages.set_held(tx, message, held=False)
    return closed


async def _is_held_by_reports(reader: Reader, message: ChatMessageId) -> bool:
    """Whether a held message was hidden automatically, because of reports, and not by a moderator."""
    row = await reader.fetch_one(
        "select act, by_user_id from chat_acts where message_id = :message and act in ('held', 'released')"
        " order by at desc, id desc limit 1",
        message=message,
    )
    return row is not None and row["act"] == ChatModerationAction.HELD.value and row["by_user_id"] is None
