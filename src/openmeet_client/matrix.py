"""Rooms that are mirrored to Matrix: their settings for hosts, and each person's consent and linked account."""

from typing import Literal
from urllib.parse import quote

import msgspec

from openmeet_client.transport import Transport

Consent = Literal["name_and_words", "none"]
Invitations = Literal["all", "chosen", "none"]
GuestState = Literal["invited", "removed", "banned"]


class RoomMirror(msgspec.Struct, rename="camel"):
    """Status of a room's mirror. ``alias``: the room's alias on Matrix, None until it is created. ``waiting``: entries
    that have not been sent yet.
    """

    state: Literal["off", "on", "ending"]
    room_id: str | None
    alias: str | None
    guests: bool
    federates: bool
    since: str | None
    waiting: int
    last_error: str


class MatrixGuest(msgspec.Struct, rename="camel"):
    """A guest without an account here. ``membership``: as the homeserver reports it; empty until the homeserver was
    queried.
    """

    address: str
    state: GuestState
    membership: Literal["", "invite", "join", "leave", "refused"]
    reason: str
    invited_by: str | None
    at: str


class MyMatrix(msgspec.Struct, rename="camel"):
    """Whether the caller's messages are passed on to Matrix. ``answered_at``: None if the caller has not answered yet.
    ``account``: their own Matrix account, if it is linked.
    """

    consent: Consent
    answered_at: str | None
    account: str | None
    linked_at: str | None
    invitations: Invitations


class MatrixRoomChoice(msgspec.Struct, rename="camel"):
    """A mirrored room. ``invited``: whether the caller's linked account is invited to it."""

    room_id: str
    name: str
    invited: bool


class LinkCode(msgspec.Struct, rename="camel"):
    """A code for linking a Matrix account. Send ``code`` to the Matrix user ``to`` in a direct chat before
    ``expires_at``.
    """

    code: str
    to: str
    expires_at: str


class _Guests(msgspec.Struct):
    guests: list[MatrixGuest]


class _Choices(msgspec.Struct):
    rooms: list[MatrixRoomChoice]


class Matrix:
    """Mirrored rooms. The token needs ``chat:read``, and ``chat:write`` for changes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def mirror(self, room: str) -> RoomMirror:
        """Status of a room's mirror, for its hosts."""
        return await self._transport.get(_mirror(room), RoomMirror)

    async def switch(self, room: str, *, enabled: bool, guests: bool = False, confirmed: bool = False) -> RoomMirror:
        """Start or stop mirroring a room, for its hosts. ``confirmed``: required if the room is not public."""
        body = {"enabled": enabled, "guests": guests, "confirmed": confirmed}
        return await self._transport.change("PUT", _mirror(room), RoomMirror, body)

    async def try_again(self, room: str) -> RoomMirror:
        """Pass on everything that is waiting now, for hosts."""
        return await self._transport.change("POST", f"{_mirror(room)}/again", RoomMirror)

    async def guests(self, room: str) -> list[MatrixGuest]:
        """Guests of a room, for its hosts."""
        return (await self._transport.get(f"{_mirror(room)}/guests", _Guests)).guests

    async def change_guest(
        self, room: str, address: str, state: GuestState = "invited", reason: str = ""
    ) -> MatrixGuest:
        """Invite somebody by their Matrix address, or remove or ban them, for hosts."""
        body = {"address": address, "state": state, "reason": reason}
        return await self._transport.change("POST", f"{_mirror(room)}/guests", MatrixGuest, body)

    async def mine(self) -> MyMatrix:
        """What the caller lets us pass on, and their linked account."""
        return await self._transport.get("/api/me/matrix", MyMatrix)

    async def decide(self, *, consent: Consent | None = None, invitations: Invitations | None = None) -> MyMatrix:
        """Choose what may be passed on and which rooms invite the caller. Arguments that are left out change nothing."""
        wanted = {"consent": consent, "invitations": invitations}
        body = {name: value for name, value in wanted.items() if value is not None}
        return await self._transport.change("PUT", "/api/me/matrix", MyMatrix, body)

    async def rooms(self) -> list[MatrixRoomChoice]:
        """The caller's mirrored rooms, and which of them invite their linked account."""
        return (await self._transport.get("/api/me/matrix/rooms", _Choices)).rooms

    async def choose(self, room: str, *, invited: bool) -> None:
        """Choose whether to be invited to a room. This also works after leaving it in Matrix."""
        await self._transport.act("PUT", f"/api/me/matrix/rooms/{quote(room, safe='')}", {"invited": invited})

    async def link(self) -> LinkCode:
        """Get a code for linking the caller's Matrix account."""
        return await self._transport.change("POST", "/api/me/matrix/link", LinkCode)

    async def unlink(self) -> None:
        await self._transport.act("DELETE", "/api/me/matrix")


def _mirror(room: str) -> str:
    return f"/api/chat/rooms/{quote(room, safe='')}/matrix"
