"""People mentioned in messages, by name or as a group.

Of a mention by name, the id and the name in the text are both stored, so that it survives a change of name.

Everyone who may write can use ``@hosts``, people who moderate the room can use ``@everyone``. The details of a message
list its group mentions. The people are looked up when they are notified, page by page, and stored with the mentions by
name. Unlike mentions by name, they are not shown to anyone, because they would reveal who is in the room.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import HOUR, MINUTE, SECOND, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import TooMany
from openmeet.domain.chat.access import access_of_each, people_in_room_sql, related_people_sql
from openmeet.domain.chat.model import Access, ChatMessage, ChatMessageId, Room, RoomId, RoomKind
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.texts import mentioned_names, name_key
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId


class GroupMention(StrEnum):
    """A mention of several people at once."""

    HOSTS = "hosts"
    EVERYONE = "everyone"


# The words that people write, in the languages of the site.
GROUP_WORDS: Final = {
    "hosts": GroupMention.HOSTS,
    "gastgeber": GroupMention.HOSTS,
    "everyone": GroupMention.EVERYONE,
    "alle": GroupMention.EVERYONE,
}
_EVERYONE_AGAIN: Final = HOUR
_HOSTS_AGAIN: Final = 10 * MINUTE
# Everyone in rooms of these kinds is notified of every message.
_SMALL: Final = frozenset({RoomKind.HOSTS, RoomKind.DIRECT})
# How many recent messages are searched for an earlier call. The rate limits allow no more in an hour.
_MAX_SEARCHED: Final = 2_000
_PAGE_OF_PEOPLE: Final = 500


@dataclass(frozen=True, slots=True)
class Mention:
    """``written`` is the folded name in the text, or empty if the client sent the person's id. ``name`` is their
    current name.
    """

    person: UserId
    written: str
    name: str
    is_renamed: bool


async def mentions_in(reader: Reader, messages: Collection[ChatMessageId]) -> dict[ChatMessageId, list[Mention]]:
    """The people mentioned by name in each message, except those who are deleting their account."""
    if not messages:
        return {}
    rows = await reader.fetch(
        f"""
        select q.message_id, q.user_id, q.name, u.display_name,
               (select count(*) from identities i where i.user_id = q.user_id and i.handle = q.name) as handles
          from chat_mentions q join users u on u.id = q.user_id
         where q.message_id in :messages and q.is_called = 0 and not {is_leaving("q.user_id")}
         order by q.message_id, q.user_id
        """,
        messages=sorted(messages),
    )
    mentions: dict[ChatMessageId, list[Mention]] = {}
    for row in rows:
        written, name = row["name"], row["display_name"] or ""
        is_renamed = bool(written and name) and not row["handles"] and name_key(name) != written
        mention = Mention(UserId(row["user_id"]), written, name, is_renamed)
        mentions.setdefault(ChatMessageId(row["message_id"]), []).append(mention)
    return mentions


def renamed_among(mentions: Collection[Mention]) -> dict[str, str]:
    """Current names of mentioned people who have changed their name, by the name in the text; see ``texts.with_names``."""
    return {one.written: one.name for one in mentions if one.is_renamed}


async def allowed_group_mentions(
    reader: Reader, room: Room, person: UserId, level: Access, body: str
) -> tuple[GroupMention, ...]:
    """The group mentions in a new message that its author may use now. Others remain plain text.

    Raises TooMany (``EveryoneTooOften``) if everyone was called within the last hour.
    """
    mentions = {GROUP_WORDS[name] for name in mentioned_names(body) if name in GROUP_WORDS}
    if not mentions or room.kind in _SMALL:
        return ()
    made = []
    if GroupMention.EVERYONE in mentions and level is Access.MODERATE:
        last = await _last_call(reader, room.id, GroupMention.EVERYONE, None, _EVERYONE_AGAIN)
        if last is not None:
            wait_seconds = -(-(last + _EVERYONE_AGAIN - reader.now) // SECOND)
            minutes = -(-wait_seconds // 60)
            raise TooMany(
                ChatReason.EVERYONE_TOO_OFTEN, after_seconds=wait_seconds, name="EveryoneTooOften", minutes=minutes
            )
        made.append(GroupMention.EVERYONE)
    if GroupMention.HOSTS in mentions and not await _last_call(
        reader, room.id, GroupMention.HOSTS, person, _HOSTS_AGAIN
    ):
        made.append(GroupMention.HOSTS)
    return tuple(made)


async def _last_call(
    reader: Reader, room: RoomId, mention: GroupMention, person: UserId | None, within: int
) -> Instant | None:
    rows = await reader.fetch(
        """
        select m.said_at, m.details from (
          select number, said_at, user_id, details from chat_messages
           where room_id = :room order by number desc limit :most) m
         where m.said_at > :since and m.details like '%"calls":%'
           and m.user_id = coalesce(cast(:person as text), m.user_id)
         order by m.said_at desc, m.number desc
        """,
        room=room,
        most=_MAX_SEARCHED,
        since=Instant(reader.now - within),
        person=person,
    )
    # Other keys of the details contain people's text, so the database cannot tell what is called.
    return next((Instant(row["said_at"]) for row in rows if mention in _calls_in(json.loads(row["details"]))), None)


def calls_of(message: ChatMessage) -> frozenset[GroupMention]:
    """The group mentions of a stored message."""
    return _calls_in(message.details)


def _calls_in(details: Mapping[str, object]) -> frozenset[GroupMention]:
    listed = details.get("calls")
    return frozenset(GroupMention(call) for call in listed) if isinstance(listed, list) else frozenset()


def is_group_mention(name: str) -> bool:
    """Whether a folded name is a group mention and not a person's name."""
    return name in GROUP_WORDS


async def page_of_people_called(
    tx: Transaction, room: Room, message: ChatMessage, after: UserId | None
) -> tuple[Collection[UserId], UserId | None]:
    """Store the next people addressed by a group mention of a message, if they may read the message. Return them, and
    the last person looked at, or None if there are no more.
    """
    calls = calls_of(message)
    if not calls:
        return (), None
    only_hosts = GroupMention.EVERYONE not in calls
    related_people = (
        f"(select distinct h.user_id from {related_people_sql()} h where h.because = 'hosting')"
        if only_hosts
        else people_in_room_sql()
    )
    rows = await tx.fetch(
        f"select p.user_id from chat_rooms r, {related_people} p where r.id = :room and p.user_id > :after "
        "order by p.user_id limit :limit",
        room=room.id,
        after=after or "",
        limit=_PAGE_OF_PEOPLE,
    )
    listed = [UserId(row["user_id"]) for row in rows]
    access_by_person = await access_of_each(tx, room, listed)
    with_access = [
        who for who in listed if access_by_person.get(who, Access.NONE) is not Access.NONE and who != message.user_id
    ]
    await tx.execute_many(
        "insert into chat_mentions (message_id, user_id, is_called) values (:message, :person, 1) on conflict do nothing",
        [{"message": message.id, "person": who} for who in with_access],
    )
    return with_access, listed[-1] if len(listed) == _PAGE_OF_PEOPLE else None
