"""Rules for everyone who writes in a chat, people and Matrix guests alike, in the browser, the API and Matrix: rate
limits, slow mode, held messages, the time limit for edits, and when signals are accepted.

Callers hold the lock on the room, except those that only count requests.
"""

from dataclasses import dataclass, replace
from typing import Final

from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Refused, TooMany
from groundwork.rate_limit.contract import Limit
from openmeet.domain.chat import message_queries
from openmeet.domain.chat.access import access_to_each
from openmeet.domain.chat.model import EDITABLE_FOR, SIGNALS_BEFORE, Access, ChatMessage, MessageAuthor, Room
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.texts import checked_text, has_link
from openmeet.domain.series.split_queries import chain_of

MESSAGES_PER_MINUTE: Final = Limit("chat_minute", 20, 60)
MESSAGES_IN_ONE_ROOM: Final = Limit("chat_burst", 5, 10)
# For all people in one room together.
MESSAGES_OF_EVERYBODY_IN_ROOM: Final = Limit("chat_room", 50, 1)
# Edits, reactions and votes. Each is pushed to everyone who has the chat open.
CHANGES: Final = (Limit("chat_change_minute", 60, 60), Limit("chat_change_hour", 1_000, 3_600))
CHANGES_IN_ONE_ROOM: Final = Limit("chat_change_burst", 20, 10)
# Messages with a link wait for a moderator until the author has this many visible messages, or ``_FIRST_LINKS`` visible
# ones with a link.
_NEW_BEFORE: Final = 10
_FIRST_LINKS: Final = 3


def messages_per_hour(messages: int) -> Limit:
    """The limit for new messages per hour. ``messages`` is the number from the settings."""
    return Limit("chat_hour", messages, 3_600)


async def check_slow_mode(reader: Reader, room: Room, author: MessageAuthor) -> None:
    """Raise TooMany (``SlowMode``) if the author's previous message in the room is too recent."""
    if not room.slow_seconds:
        return
    last = await message_queries.last_said_at(reader, room.id, author)
    wait_microseconds = 0 if last is None else last + room.slow_seconds * SECOND - reader.now
    if wait_microseconds > 0:
        seconds = -(-wait_microseconds // SECOND)
        raise TooMany(ChatReason.SLOW_MODE, after_seconds=seconds, name="SlowMode", seconds=seconds)


async def waits_for_moderator(reader: Reader, room: Room, author: MessageAuthor, text: str) -> bool:
    """Whether a new text, or the text after an edit, must wait for a moderator. Call it only for authors who do not
    moderate the room.
    """
    return room.holds_messages or (has_link(text) and await _is_new(reader, author))


async def _is_new(reader: Reader, author: MessageAuthor) -> bool:
    """Whether messages with links from this author must wait, because spammers often begin with a few harmless
    messages. Messages in rooms that they moderate do not count, because anyone can open a room.
    """
    counts = await message_queries.shown_counts(reader, author)
    moderated = set()
    if author.user_id is not None:
        access_by_room = await access_to_each(reader, list(counts), author.user_id)
        moderated = {room for room, access in access_by_room.items() if access is Access.MODERATE}
    elsewhere = [of_room for room, of_room in counts.items() if room not in moderated]
    return (
        sum(written for written, _ in elsewhere) < _NEW_BEFORE and sum(linked for _, linked in elsewhere) < _FIRST_LINKS
    )


@dataclass(frozen=True, slots=True)
class TextEdit:
    """A permitted edit. ``text`` is the text to store. ``changes`` is False if the text stays the same."""

    before: ChatMessage
    text: str

    @property
    def changes(self) -> bool:
        return self.text != self.before.body

    def message(self, now: Instant, *, waits: bool) -> ChatMessage:
        """The message after the edit. ``waits``: the new text must wait for a moderator. A message that was already
        waiting continues to wait.
        """
        held_at = self.before.held_at or (now if waits else None)
        return replace(self.before, body=self.text, revision=self.before.revision + 1, edited_at=now, held_at=held_at)


def checked_edit(message: ChatMessage, text: str, now: Instant) -> TextEdit:
    """Validate an edit by the author. Raises Refused (``TooLate``, ``Removed``), InvalidForm (``text``)."""
    if message.is_removed:
        raise Refused(ChatReason.MESSAGE_REMOVED, name="Removed")
    if now >= message.said_at + EDITABLE_FOR:
        raise Refused(ChatReason.TOO_LATE_TO_EDIT, name="TooLate")
    return TextEdit(message, checked_text(text, is_needed=not message.pictures))


async def takes_signals(reader: Reader, room: Room) -> bool:
    """Whether people can send signals (``Signal``) now: from two hours before an event of the room until its end."""
    parts = await chain_of(reader, room.series_id) if room.series_id is not None else []
    row = await reader.fetch_one(
        "select 1 as found from events where (id = :event or series_id in :parts) and deleted_at is null"
        " and status <> 'cancelled' and starts_at <= :soon and over_at >= :now limit 1",
        event=room.event_id or "",
        parts=parts or [""],
        soon=Instant(reader.now + SIGNALS_BEFORE),
        now=reader.now,
    )
    return row is not None
