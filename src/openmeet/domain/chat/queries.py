"""Pages of messages, ready to be shown to one person."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from openmeet.domain.chat import polls
from openmeet.domain.chat.access import access, access_to_each, reading_floor, reading_floor_sql
from openmeet.domain.chat.mentions import mentions_in, renamed_among
from openmeet.domain.chat.message_queries import COLUMNS, by_id, by_ids, is_by_leaving, is_there, is_written, message_of
from openmeet.domain.chat.model import (
    Access,
    ChatMessage,
    ChatMessageId,
    MessageKind,
    Room,
    RoomId,
)
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.room_queries import by_id as room_by_id
from openmeet.domain.chat.texts import cleaned, with_names
from openmeet.domain.media.pictures import PictureKey
from openmeet.domain.profiles.portraits import shown as portraits_shown
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId, leaving, unnamed

# Maximum length of the line that a reply quotes.
_LINE: Final = 120
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class ReactionCount:
    """How many people reacted with an emoji, and whether the reader is one of them."""

    emoji: str
    number: int
    is_mine: bool


@dataclass(frozen=True, slots=True)
class ReplyLine:
    """The message that another one replies to. ``text`` is its first line, shortened, or the description of its
    picture; empty if it was removed. ``has_picture`` is True if it has a picture and no text.
    """

    id: ChatMessageId
    number: int
    user_id: UserId | None
    name: str
    text: str
    is_removed: bool
    has_picture: bool = False


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message as one person sees it. ``message.body`` is empty if it was removed.

    ``is_only_here`` is True if the room is mirrored to Matrix, but this message is not sent there. ``name`` is the
    author's name, or the address of a Matrix guest. ``portrait`` is the author’s picture, if the reader may see it.
    ``is_folded`` is True if the reader blocks or mutes the author. ``renamed`` has the current names of mentioned
    people who have changed their name, by the name in the text. ``votes`` has the number of votes for each choice of a
    poll, ``my_votes`` those of the reader.
    """

    message: ChatMessage
    name: str
    portrait: PictureKey | None
    handle: str | None
    reply: ReplyLine | None
    reactions: tuple[ReactionCount, ...]
    mentions: tuple[UserId, ...]
    renamed: Mapping[str, str]
    is_mine: bool
    is_pinned: bool
    is_folded: bool
    is_only_here: bool
    votes: Mapping[int, int]
    my_votes: frozenset[int]

    @property
    def id(self) -> ChatMessageId:
        return self.message.id

    @property
    def number(self) -> int:
        return self.message.number


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """A selection of messages of a room. ``before``, ``after`` and ``around`` are message numbers; without any, the
    latest are returned. ``about`` selects one heading.

    ``until`` is exclusive. ``words`` are search words, see ``search``.
    """

    before: int | None = None
    after: int | None = None
    around: int | None = None
    about: str | None = None
    person: UserId | None = None
    since: Instant | None = None
    until: Instant | None = None
    pinned: bool = False
    kinds: Collection[MessageKind] = ()


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Messages in order of number. ``has_before`` and ``has_after`` say whether there are more on either side."""

    messages: tuple[ShownMessage, ...]
    has_before: bool
    has_after: bool


def is_shown(floor: str = ":floor") -> str:
    """SQL condition on ``m``: ``:viewer`` can see the message. It is in their part of the history, and it is not held,
    or it is their own, or they moderate the room (``:moderates`` is 1).
    """
    return (
        f"m.number > {floor} and (m.held_at is null or cast(:moderates as integer) = 1"
        " or m.user_id = cast(:viewer as text))"
    )


async def page_of_messages(
    reader: Reader,
    room: Room,
    viewer: UserId | None,
    message_filter: MessageFilter,
    *,
    limit: int = PAGE,
    level: Access | None = None,
) -> MessagePage:
    """A page of messages for a person who may read the room. ``level`` is their access, if this transaction has already
    looked it up.

    Raises NotFound if they may not.
    """
    if level is None:
        level = await access(reader, room.id, viewer)
    if level is Access.NONE:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    selection = await _selection(reader, room, viewer, level, message_filter)
    before, after, around = message_filter.before, message_filter.after, message_filter.around
    if around is not None:
        half = max(1, limit // 2)
        earlier = await _latest(reader, selection, before=around, limit=half + 1)
        later = await _earliest(reader, selection, "m.number >= :number", around, limit=limit - half + 1)
        has_before, has_after = len(earlier) > half, len(later) > limit - half
        messages = earlier[-half:] + later[: limit - half]
    elif after is not None:
        later = await _earliest(reader, selection, "m.number > :number", after, limit=limit + 1)
        messages, has_after = later[:limit], len(later) > limit
        has_before = bool(messages) and bool(await _latest(reader, selection, before=messages[0].number, limit=1))
    else:
        earlier = await _latest(reader, selection, before=before, limit=limit + 1)
        messages, has_before = earlier[-limit:], len(earlier) > limit
        has_after = (
            before is not None
            and bool(messages)
            and bool(await _earliest(reader, selection, "m.number > :number", messages[-1].number, limit=1))
        )
    return MessagePage(tuple(await shown(reader, messages, viewer)), has_before, has_after)


@dataclass(frozen=True, slots=True)
class _Selection:
    """SQL conditions on the messages of a page, and their values."""

    conditions: Sequence[str]
    values: Mapping[str, object]


async def _selection(
    reader: Reader, room: Room, viewer: UserId | None, level: Access, message_filter: MessageFilter
) -> _Selection:
    conditions = ["m.room_id = :room", is_shown()]
    values: dict[str, object] = {
        "room": room.id,
        "viewer": viewer,
        "moderates": int(level is Access.MODERATE),
        "floor": await reading_floor(reader, room, viewer, level),
    }
    for name, condition in (
        ("about", "m.about = :about"),
        ("person", "m.user_id = :person"),
        ("since", "m.said_at >= :since"),
        ("until", "m.said_at < :until"),
    ):
        value = getattr(message_filter, name)
        if value is not None:
            conditions.append(condition)
            values[name] = value
    if message_filter.pinned:
        # A separate query for the pinned messages, of which there are at most ten: in a single query SQLite would look
        # at every message of the room.
        rows = await reader.fetch(
            "select message_id from chat_pins where room_id = :room order by message_id", room=room.id
        )
        conditions.append(f"m.id in :pinned and not {is_by_leaving()}")
        values["pinned"] = [row["message_id"] for row in rows] or [""]
    if message_filter.kinds:
        conditions.append("m.kind in :kinds")
        values["kinds"] = sorted(kind.value for kind in message_filter.kinds)
    return _Selection(conditions, values)


async def _latest(reader: Reader, selection: _Selection, *, before: int | None, limit: int) -> list[ChatMessage]:
    """The latest messages, or the latest with a number below ``before``; in order of number."""
    conditions = [*selection.conditions, *([] if before is None else ["m.number < :number"])]
    rows = await reader.fetch(
        f"select {COLUMNS} from chat_messages m where {' and '.join(conditions)} order by m.number desc limit :limit",
        limit=limit,
        **({} if before is None else {"number": before}),
        **selection.values,
    )
    return [message_of(row) for row in reversed(rows)]


async def _earliest(reader: Reader, selection: _Selection, bound: str, number: int, *, limit: int) -> list[ChatMessage]:
    """The earliest messages within a lower bound, in order of number."""
    rows = await reader.fetch(
        f"select {COLUMNS} from chat_messages m where {' and '.join([*selection.conditions, bound])}"
        " order by m.number limit :limit",
        limit=limit,
        number=number,
        **selection.values,
    )
    return [message_of(row) for row in rows]


async def visible_message(
    reader: Reader, message: ChatMessageId, viewer: UserId | None
) -> tuple[ChatMessage, Room, Access]:
    """A message that this person may read, its room and their access. Raises NotFound."""
    found_message = await by_id(reader, message)
    room = await room_by_id(reader, found_message.room_id) if found_message else None
    if found_message is None or room is None:
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    level = await access(reader, room.id, viewer)
    if not await is_visible(reader, found_message, room, viewer, level):
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    return found_message, room, level


async def is_visible(reader: Reader, message: ChatMessage, room: Room, viewer: UserId | None, level: Access) -> bool:
    """Whether a person with this access to the room can read this message."""
    if level is Access.NONE or (
        message.is_held and level is not Access.MODERATE and (viewer is None or message.user_id != viewer)
    ):
        return False
    return message.number > await reading_floor(reader, room, viewer, level)


async def visible_among(
    reader: Reader,
    room: Room,
    messages: Collection[ChatMessageId],
    viewer: UserId | None,
    level: Access | None = None,
) -> list[ShownMessage]:
    """The messages of a room with these ids that this person can see, in order of number; empty without access.

    ``level`` is their access, if this transaction has already looked it up.
    """
    if not messages:
        return []
    if level is None:
        level = await access(reader, room.id, viewer)
    if level is Access.NONE:
        return []
    rows = await reader.fetch(
        f"select {COLUMNS} from chat_messages m where m.room_id = :room and m.id in :ids and {is_shown()} "
        "order by m.number",
        room=room.id,
        ids=sorted(set(messages)),
        viewer=viewer,
        moderates=int(level is Access.MODERATE),
        floor=await reading_floor(reader, room, viewer, level),
    )
    return await shown(reader, [message_of(row) for row in rows], viewer)


async def shown(
    reader: Reader, messages: Sequence[ChatMessage], viewer: UserId | None, *, quotes_all: bool = False
) -> list[ShownMessage]:
    """Prepare messages for display, in the given order. The caller has checked access.

    With ``quotes_all``, replies also quote messages from before the viewer joined. The caller then removes these quotes
    for each reader.
    """
    if not messages:
        return []
    ids = [one.id for one in messages]
    replied_to = await by_ids(reader, [one.reply_to for one in messages if one.reply_to is not None])
    authors = {one.user_id for one in (*messages, *replied_to.values()) if one.user_id is not None}
    names = await _names(reader, authors)
    portraits = await portraits_shown(reader, viewer, authors)
    apart = await _blocked_or_muted(reader, authors, viewer)
    unread = set() if quotes_all else await _before_joining(reader, list(replied_to.values()), viewer)
    reactions = await _reactions(reader, ids, viewer)
    mentions = await mentions_in(reader, {*ids, *replied_to})
    renamed = {message: renamed_among(each) for message, each in mentions.items()}
    pinned = {row["message_id"] for row in await reader.fetch(_PINNED, ids=ids)}
    kept_here = await _only_here(reader, ids)
    votes, own_choices = await polls.votes(reader, [one.id for one in messages if one.kind is MessageKind.POLL], viewer)
    return [
        ShownMessage(
            message=one,
            name=_name_of(one, names),
            portrait=portraits.get(one.user_id) if one.user_id else None,
            handle=names[one.user_id].handle if one.user_id in names else None,
            reply=_reply_line(replied_to.get(one.reply_to), one, names, apart, unread, renamed)
            if one.reply_to
            else None,
            reactions=tuple(reactions.get(one.id, ())),
            mentions=tuple(each.person for each in mentions.get(one.id, ())),
            renamed=renamed.get(one.id, {}),
            is_mine=viewer is not None and one.user_id == viewer,
            is_pinned=one.id in pinned,
            is_folded=one.user_id in apart,
            is_only_here=one.id in kept_here,
            votes=votes.get(one.id, {}),
            my_votes=frozenset(own_choices.get(one.id, ())),
        )
        for one in messages
    ]


_PINNED: Final = f"""
    select p.message_id from chat_pins p join chat_messages m on m.id = p.message_id
     where p.message_id in :ids and not {is_by_leaving()} order by p.message_id
"""


@dataclass(frozen=True, slots=True)
class _AuthorName:
    name: str
    handle: str | None


async def _names(reader: Reader, people_ids: Collection[UserId]) -> dict[UserId, _AuthorName]:
    if not people_ids:
        return {}
    rows = await reader.fetch(
        "select u.id, u.display_name, (select min(i.handle) from identities i where i.user_id = u.id) as handle,"
        f" case when {is_leaving('u.id')} then 1 else 0 end as hidden"
        " from users u where u.id in :ids order by u.id",
        ids=sorted(people_ids),
    )
    return {
        UserId(row["id"]): _AuthorName(leaving(), None)
        if row["hidden"]
        # Names from other apps have not been validated.
        else _AuthorName(cleaned(row["display_name"]), row["handle"])
        for row in rows
    }


def _name_of(message: ChatMessage, names: Mapping[UserId, _AuthorName]) -> str:
    if message.user_id is None:
        return message.matrix_sender or ""
    author = names.get(message.user_id)
    return (author.name or author.handle or unnamed()) if author else unnamed()


def _reply_line(
    replied_to: ChatMessage | None,
    message: ChatMessage,
    names: Mapping[UserId, _AuthorName],
    blocked_or_muted: Collection[UserId],
    unread: Collection[ChatMessageId],
    renamed: Mapping[ChatMessageId, Mapping[str, str]],
) -> ReplyLine:
    is_gone = (
        replied_to is None
        or replied_to.is_removed
        or replied_to.is_held
        or replied_to.user_id in blocked_or_muted
        or replied_to.id in unread
    )
    if replied_to is None:
        return ReplyLine(message.reply_to or ChatMessageId(""), 0, None, "", "", is_removed=True)
    has_picture = not is_gone and not replied_to.body and bool(replied_to.pictures)
    text = replied_to.pictures[0].alt if has_picture else replied_to.body
    line = "" if is_gone else with_names(text, renamed.get(replied_to.id, {})).partition("\n")[0]
    return ReplyLine(
        replied_to.id,
        replied_to.number,
        replied_to.user_id,
        _name_of(replied_to, names),
        line if len(line) <= _LINE else line[: _LINE - 1] + "…",
        is_removed=is_gone,
        has_picture=has_picture,
    )


async def _before_joining(
    reader: Reader, messages: Collection[ChatMessage], viewer: UserId | None
) -> set[ChatMessageId]:
    """Return which of these messages were written before the reader's part of the history. Replies must not quote them."""
    if not messages:
        return set()
    rows = await reader.fetch(
        f"select r.id, {reading_floor_sql()} as floor from chat_rooms r"
        " left join chat_readers c on c.room_id = r.id and c.user_id = cast(:viewer as text)"
        " where r.id in :rooms and (r.history <> 'all' or r.history_floor > 0) order by r.id",
        rooms=sorted({one.room_id for one in messages}),
        viewer=viewer,
    )
    access_by_room = await access_to_each(reader, [RoomId(row["id"]) for row in rows], viewer)
    floors = {row["id"]: row["floor"] for row in rows if access_by_room.get(RoomId(row["id"])) is not Access.MODERATE}
    return {one.id for one in messages if one.number <= floors.get(one.room_id, 0)}


async def _blocked_or_muted(reader: Reader, authors: Collection[UserId], viewer: UserId | None) -> set[UserId]:
    """Return which of these authors the reader has blocked or muted."""
    if viewer is None or not authors:
        return set()
    rows = await reader.fetch(
        "select blocked_id as id from user_blocks where user_id = :viewer and blocked_id in :ids"
        " union select subject from user_mutes where user_id = :viewer and subject in :ids",
        viewer=viewer,
        ids=sorted(authors),
    )
    return {UserId(row["id"]) for row in rows}


async def _reactions(
    reader: Reader, ids: Collection[ChatMessageId], viewer: UserId | None
) -> dict[ChatMessageId, list[ReactionCount]]:
    rows = await reader.fetch(
        f"""
        select message_id, emoji, count(*) as number, min(at) as first,
               max(case when user_id = cast(:viewer as text) then 1 else 0 end) as mine
          from chat_reactions c where message_id in :ids and not {is_leaving("c.user_id")}
         group by message_id, emoji order by message_id, first, emoji
        """,
        ids=sorted(ids),
        viewer=viewer,
    )
    reactions: dict[ChatMessageId, list[ReactionCount]] = {}
    for row in rows:
        reactions.setdefault(ChatMessageId(row["message_id"]), []).append(
            ReactionCount(row["emoji"], row["number"], bool(row["mine"]))
        )
    return reactions


async def _only_here(reader: Reader, ids: Collection[ChatMessageId]) -> set[ChatMessageId]:
    """Return which of these messages of mirrored rooms are not sent to Matrix: messages whose authors had not consented
    when they wrote them, messages that delivery has already passed, and polls.
    """
    rows = await reader.fetch(
        f"""
        select m.id from chat_messages m join chat_rooms r on r.id = m.room_id and r.matrix_state = 'on'
         where m.id in :ids and {is_written()} and {is_there()}
           and not exists (select 1 from chat_log l join matrix_sends s on s.room_id = l.room_id and s.number = l.number
                            where l.message_id = m.id and s.event_id is not null)
           and (m.kind = 'poll'
                or (select max(l.number) from chat_log l where l.message_id = m.id
                    and l.kind in ('said', 'edited', 'restored'))
                   <= (select max(s.number) from matrix_sends s where s.room_id = r.id and s.sent_revision > 0)
                or not exists (select 1 from matrix_people p where p.user_id = m.user_id
                                  and p.consent = 'name_and_words' and p.answered_at <= m.said_at))
         order by m.id
        """,
        ids=sorted(ids),
    )
    return {ChatMessageId(row["id"]) for row in rows}
