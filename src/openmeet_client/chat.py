"""Chat: rooms, messages, moderation, and the live stream."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import msgspec

from openmeet_client.chat_model import (
    Access,
    ChatAction,
    ChatEvent,
    ChatExportLine,
    ChatFindings,
    ChatMember,
    ChatMemberPage,
    ChatMessage,
    ChatMessagePage,
    ChatModeration,
    ChatRemoval,
    ChatRoom,
    ChatRoomPage,
    ChatSanction,
    ChatSanctions,
    Level,
    MyChatRoom,
    NewChatMessage,
    ReadMark,
    Signal,
    SubjectRooms,
    UnreadChat,
    UploadedPicture,
)
from openmeet_client.transport import Query, Transport


class Chat:
    """Rooms and messages. The token needs ``chat:read``, and ``chat:write`` for changes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def rooms(
        self,
        *,
        q: str | None = None,
        kind: str | None = None,
        event: str | None = None,
        series: str | None = None,
        group: str | None = None,
        only_unread: bool = False,
        archived: bool = False,
        per_page: int = 100,
    ) -> AsyncIterator[MyChatRoom]:
        """The caller's rooms, those with unread messages first, all pages. ``event``, ``series``, ``group``: the slug
        of one to filter by.
        """
        query: Query = {
            "q": q,
            "kind": kind,
            "event": event,
            "series": series,
            "group": group,
            "unread": "true" if only_unread else None,
            "archived": "true" if archived else None,
            "limit": per_page,
        }
        async for page in self._transport.pages("/api/chat/rooms", ChatRoomPage, lambda page: page.cursor, query):
            for room in page.rooms:
                yield room

    async def rooms_of_event(self, slug: str) -> SubjectRooms:
        return await self._transport.get(f"/api/events/{quote(slug, safe='')}/chat", SubjectRooms)

    async def rooms_of_series(self, slug: str) -> SubjectRooms:
        return await self._transport.get(f"/api/series/{quote(slug, safe='')}/chat", SubjectRooms)

    async def rooms_of_group(self, slug: str) -> SubjectRooms:
        return await self._transport.get(f"/api/groups/{quote(slug, safe='')}/chat", SubjectRooms)

    async def open(self, kind: str, *, person: str | None = None, **about: str) -> ChatRoom:
        """Return the room, which is opened if necessary.

        ``about``: ``event``, ``series`` or ``group`` with its slug, ``date``, ``name``. ``person``: the other person of
        a direct room, for hosts. Without it, it is the caller's own direct room.
        """
        body = {"kind": kind, **about, **({"with": person} if person else {})}
        return await self._transport.change("POST", "/api/chat/rooms", ChatRoom, body)

    async def room(self, room: str) -> ChatRoom:
        return await self._transport.get(_room(room), ChatRoom)

    async def change(self, room: str, settings: dict[str, object], *, if_match: int | None = None) -> ChatRoom:
        """Change settings of a room, for hosts: ``name``, ``about``, ``audience``, ``history``, ``slowSeconds``,
        ``retention`` …
        """
        return await self._transport.change("PATCH", _room(room), ChatRoom, settings, if_match=if_match)

    async def archive(self, room: str, reason: str = "") -> ChatRoom:
        return await self._transport.change("POST", f"{_room(room)}/archive", ChatRoom, {"reason": reason})

    async def reopen(self, room: str, reason: str = "") -> ChatRoom:
        return await self._transport.change("POST", f"{_room(room)}/reopen", ChatRoom, {"reason": reason})

    async def members(
        self, room: str, *, q: str | None = None, role: Access | None = None
    ) -> AsyncIterator[ChatMember]:
        """People in the room whose names the caller may see, all pages. ``role``: only those with this access."""
        path = f"{_room(room)}/members"
        async for page in self._transport.pages(path, ChatMemberPage, lambda page: page.cursor, {"q": q, "role": role}):
            for member in page.members:
                yield member

    async def messages(
        self,
        room: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        date: str | None = None,
        person: str | None = None,
        since: str | None = None,
        until: str | None = None,
        q: str | None = None,
        only_pinned: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> ChatMessagePage:
        """A page of messages: the latest, or those before, after or around a number, limited to those that match the
        other arguments.
        """
        query: Query = {
            "before": before,
            "after": after,
            "around": around,
            "date": date,
            "person": person,
            "from": since,
            "to": until,
            "q": q,
            "pinned": "true" if only_pinned else None,
            "cursor": cursor,
            "limit": limit,
        }
        return await self._transport.get(f"{_room(room)}/messages", ChatMessagePage, query)

    async def message(self, message: str) -> ChatMessage:
        return await self._transport.get(_message(message), ChatMessage)

    async def send(self, room: str, message: NewChatMessage) -> ChatMessage:
        return await self._transport.change("POST", f"{_room(room)}/messages", ChatMessage, message)

    async def signal(self, room: str, client_id: str, signal: Signal) -> ChatMessage:
        """Send a signal such as "On my way". Possible from two hours before an event until its end."""
        return await self.send(room, NewChatMessage(client_id, signal=signal))

    async def upload(self, room: str, image: bytes) -> UploadedPicture:
        """Upload a JPEG, PNG, WebP or GIF picture. Use its ``id`` in a message."""
        return await self._transport.change("POST", f"{_room(room)}/pictures", UploadedPicture, {"image": image})

    async def picture(self, url: str) -> bytes:
        """Download a message's picture. ``url`` is the picture's ``url`` or ``small_url``."""
        return await self._transport.get_file(url)

    async def edit(self, message: str, text: str, *, if_revision: int | None = None) -> ChatMessage:
        body = {"text": text, "ifRevision": if_revision}
        return await self._transport.change("PATCH", _message(message), ChatMessage, body)

    async def remove(self, message: str, reason: str = "") -> ChatMessage:
        """Delete the caller's own message or, as a host, remove somebody else's with a reason."""
        return await self._transport.change("DELETE", _message(message), ChatMessage, {"reason": reason})

    async def react(self, message: str, emoji: str) -> ChatMessage:
        path = f"{_message(message)}/reactions/{quote(emoji, safe='')}"
        return await self._transport.change("PUT", path, ChatMessage)

    async def unreact(self, message: str, emoji: str) -> ChatMessage:
        path = f"{_message(message)}/reactions/{quote(emoji, safe='')}"
        return await self._transport.change("DELETE", path, ChatMessage)

    async def vote(self, message: str, choices: list[int]) -> ChatMessage:
        return await self._transport.change("PUT", f"{_message(message)}/vote", ChatMessage, {"choices": choices})

    async def close_poll(self, message: str) -> ChatMessage:
        return await self._transport.change("POST", f"{_message(message)}/close", ChatMessage)

    async def report(self, message: str, reason: str, words: str = "", *, to_tenant: bool = False) -> None:
        """Report a message to the hosts or, with ``to_tenant``, to the moderators of the site."""
        body = {"reason": reason, "words": words, "toTenant": to_tenant}
        await self._transport.act("POST", f"{_message(message)}/report", body)

    async def removal(self, message: str) -> ChatRemoval:
        """Why moderators removed one of the caller's messages."""
        return await self._transport.get(f"{_message(message)}/removal", ChatRemoval)

    async def object(self, message: str, words: str) -> ChatRemoval:
        return await self._transport.change("POST", f"{_message(message)}/objection", ChatRemoval, {"words": words})

    async def mark_read(self, room: str, number: int) -> int:
        """Mark messages as read up to a number. The mark never moves back. Returns the new mark."""
        path = f"{_room(room)}/read"
        return (await self._transport.change("PUT", path, ReadMark, ReadMark(number))).number

    async def notify(self, room: str, level: Level, muted_until: str | None = None) -> None:
        """Choose which messages of a room the caller is notified of."""
        body = {"level": level, "mutedUntil": muted_until}
        await self._transport.act("PUT", f"{_room(room)}/notifications", body)

    async def unread(self) -> UnreadChat:
        return await self._transport.get("/api/chat/unread", UnreadChat)

    async def search(
        self,
        q: str = "",
        *,
        room: str | list[str] | None = None,
        person: str | None = None,
        since: str | None = None,
        until: str | None = None,
        date: str | None = None,
        has: str | list[str] | None = None,
    ) -> AsyncIterator[ChatMessage]:
        """Search messages in all of the caller's rooms, all pages. Rooms with the latest messages come first. ``has``:
        ``link``, ``picture``, ``mention``.
        """
        query: Query = {"q": q, "room": room, "person": person, "from": since, "to": until, "date": date, "has": has}
        async for page in self._transport.pages("/api/chat/search", ChatFindings, lambda page: page.cursor, query):
            for message in page.messages:
                yield message

    async def live(self, room: str, *, after: int | None = None) -> AsyncIterator[ChatEvent]:
        """Events of a room, from now on or after a number, until the caller may no longer read it.

        A lost connection is reopened after the last event. Raises Problem and NoAnswer.
        """
        query: Query = {"room": room, "after": after}
        async for name, data in self._transport.events("/api/chat/live", query):
            if name == "out":
                return
            event = msgspec.json.decode(data, type=ChatEvent)
            yield msgspec.structs.replace(event, name=name)


class ChatModerationClient:
    """Moderation of rooms by their hosts."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def waiting(self, room: str) -> ChatModeration:
        """Reports, objections and held messages of a room, and the latest actions of moderators."""
        return await self._transport.get(f"{_room(room)}/moderation", ChatModeration)

    async def actions(self, room: str) -> AsyncIterator[ChatAction]:
        """Actions of moderators in a room, newest first, all pages."""
        path = f"{_room(room)}/moderation"
        async for page in self._transport.pages(path, ChatModeration, lambda page: page.cursor):
            for action in page.acts:
                yield action

    async def export(self, room: str, *, after: int = 0) -> AsyncIterator[ChatExportLine]:
        """All messages of a room, oldest first. ``after``: the number of the last line that was received before the
        connection was lost.
        """
        async for line in self._transport.lines(f"{_room(room)}/export", {"after": after}):
            yield msgspec.json.decode(line, type=ChatExportLine)

    async def restore(self, message: str) -> ChatMessage:
        """Undo a removal, within 30 days."""
        return await self._transport.change("POST", f"{_message(message)}/restore", ChatMessage)

    async def uphold(self, message: str, reason: str = "") -> None:
        """Reject an objection, so that the message stays removed."""
        await self._transport.act("POST", f"{_message(message)}/uphold", {"reason": reason})

    async def dismiss(self, message: str) -> None:
        """Dismiss the reports about a message."""
        await self._transport.act("POST", f"{_message(message)}/dismiss")

    async def pin(self, message: str) -> ChatMessage:
        return await self._transport.change("PUT", f"{_message(message)}/pin", ChatMessage)

    async def unpin(self, message: str) -> ChatMessage:
        return await self._transport.change("DELETE", f"{_message(message)}/pin", ChatMessage)

    async def hold(self, message: str) -> ChatMessage:
        return await self._transport.change("PUT", f"{_message(message)}/hold", ChatMessage)

    async def release(self, message: str) -> ChatMessage:
        return await self._transport.change("DELETE", f"{_message(message)}/hold", ChatMessage)

    async def sanctions(self, room: str, person: str) -> list[ChatSanction]:
        return (await self._transport.get(_sanctions(room, person), ChatSanctions)).sanctions

    async def sanction(
        self, room: str, person: str, kind: str, reason: str, *, until: str | None = None
    ) -> ChatSanction:
        """Mute or ban a person (``kind``: ``mute`` or ``ban``) until the instant ``until``. Without ``until``, the
        sanction lasts until it is lifted.
        """
        body = {"kind": kind, "reason": reason, "until": until}
        return await self._transport.change("PUT", _sanctions(room, person), ChatSanction, body)

    async def lift(self, room: str, person: str) -> None:
        await self._transport.act("DELETE", _sanctions(room, person))


def _room(room: str) -> str:
    return f"/api/chat/rooms/{quote(room, safe='')}"


def _message(message: str) -> str:
    return f"/api/chat/messages/{quote(message, safe='')}"


def _sanctions(room: str, person: str) -> str:
    return f"{_room(room)}/sanctions/{quote(person, safe='')}"
