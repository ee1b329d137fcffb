"""Client for the Matrix calls that the bridge makes (Client-Server API v1.15, Application Service API v1.15).

A ``Homeserver`` is the operator's homeserver, called with the token of our registration. A ``MatrixUser`` acts there as
one user of our namespace, using the query parameters ``user_id`` and ``device_id`` (Application Service API, Identity
assertion). Failures have the kinds of ``groundwork.errors``, with Matrix's error code as their name. Rate limits that
the server reports are respected: until one ends, calls for that user raise TooMany without being sent.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from groundwork.clock import SECOND, Clock, Instant
from groundwork.errors import RemoteFailed, TooMany, Unavailable
from groundwork.http.client import MAX_RESPONSE_BYTES, HttpClient, HttpResponse
from groundwork.http.reach import DEVELOPMENT
from groundwork.settings import Secret
from openmeet.matrix.names import DEVICE

JsonObject = dict[str, Any]

# Creating a room with its aliases and initial state takes Synapse about a second on a busy machine.
_TIMEOUT_SECONDS: Final = 30.0
_SYNC_SECONDS: Final = 15.0
# The homeserver first has to fetch files of other servers.
_MEDIA_SECONDS: Final = 60.0
# A hundred events of the maximum size (65,536 bytes), and the same again for the state that comes with them.
SYNC_BYTES: Final = 16 * 1024 * 1024
# Bodies larger than this are parsed outside the event loop.
_LARGE_BYTES: Final = 256 * 1024
_LONGEST_WAIT_SECONDS: Final = 3600.0
_MAX_WAITING_USERS: Final = 1000


def open_client(user_agent: str) -> HttpClient:
    """Return the HTTP client for the homeserver. The operator configured its address, so it may be on this machine or
    in a private network.
    """
    return HttpClient(DEVELOPMENT, user_agent=user_agent, connections=20)


class Homeserver:
    """One homeserver and the token of our registration. Cheap to create; the caller closes ``http``."""

    def __init__(self, http: HttpClient, clock: Clock, url: str, server_name: str, token: Secret) -> None:
        self._http = http
        self._clock = clock
        self._url = url.rstrip("/")
        self.server_name = server_name
        self._token = token
        self._not_before: dict[str, Instant] = {}

    def user(self, localpart: str) -> "MatrixUser":
        """Return a client that acts as this user of our namespace."""
        return MatrixUser(self, localpart)

    def user_id(self, localpart: str) -> str:
        return f"@{localpart}:{self.server_name}"

    def alias(self, localpart: str) -> str:
        return f"#{localpart}:{self.server_name}"

    async def versions(self) -> JsonObject:
        """Return the versions of the specification that the homeserver supports; needs no token."""
        response = await self._http.get(f"{self._url}/_matrix/client/versions", max_bytes=MAX_RESPONSE_BYTES)
        if not response.is_ok:
            raise _failure(response)
        return await _object_of(response)

    async def register(self, localpart: str) -> None:
        """Create the user unless it already exists (CS API, ``POST /register``; AS API, Identity assertion)."""
        wish = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        try:
            await self.call("POST", "v3/register", body=wish)
        except RemoteFailed as failed:
            if failed.name != "M_USER_IN_USE":
                raise

    async def room_of_alias(self, localpart: str) -> str | None:
        """Return the id of the room with this alias, or None."""
        try:
            response = await self.call("GET", "v3/directory/room", self.alias(localpart))
        except RemoteFailed as failed:
            if failed.status == 404:
                return None
            raise
        return _text(response, "room_id")

    async def call(
        self,
        method: str,
        path: str,
        *values: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        user: str = "",
        timeout_seconds: float = _TIMEOUT_SECONDS,
        max_bytes: int = MAX_RESPONSE_BYTES,
    ) -> JsonObject:
        """Call ``/_matrix/client/{path}/{values…}``; every value is percent-encoded. Returns the JSON object.

        ``user``: the user whose rate limit applies. Raises RemoteFailed (``name`` is Matrix's ``errcode``), TooMany,
        RemoteSlow, and Unavailable if the homeserver answers with a 5xx status.
        """
        url = "/".join([f"{self._url}/_matrix/client/{path}", *(quote(one, safe="") for one in values)])
        headers: dict[str, str] = {}
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = msgspec.json.encode(body)
        response = await self._send(method, _with(url, query), headers, content, user, timeout_seconds, max_bytes)
        return await _object_of(response)

    async def upload(self, body: bytes, media_type: str, *, query: Mapping[str, str], user: str) -> str:
        """Upload a file and return its address (``POST /_matrix/media/v3/upload``). Raises the same errors as ``call``."""
        url = _with(f"{self._url}/_matrix/media/v3/upload", query)
        headers = {"content-type": media_type}
        response = await self._send("POST", url, headers, body, user, _MEDIA_SECONDS, MAX_RESPONSE_BYTES)
        return _text(await _object_of(response), "content_uri")

    async def download(self, uri: str, *, query: Mapping[str, str], user: str, max_bytes: int) -> bytes:
        """Download the file at an address (``GET /_matrix/client/v1/media/download``). Raises the same errors as
        ``call``, and ResponseTooLarge.
        """
        server, _, media = uri.removeprefix("mxc://").partition("/")
        at = f"{self._url}/_matrix/client/v1/media/download/{quote(server, safe='')}/{quote(media, safe='')}"
        response = await self._send("GET", _with(at, query), {}, None, user, _MEDIA_SECONDS, max_bytes)
        return response.body

    async def _send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | None,
        user: str,
        timeout_seconds: float,
        max_bytes: int,
    ) -> HttpResponse:
        """Return a successful response. Raises the same errors as ``call``."""
        now = self._clock.now()
        if (until := self._not_before.get(user)) is not None:
            if until > now:
                raise TooMany("The homeserver asked us to wait.", after_seconds=(until - now) / SECOND)
            del self._not_before[user]
        headers["authorization"] = f"Bearer {self._token.reveal()}"
        response = await self._http.request(
            method, url, headers=headers, body=content, timeout_seconds=timeout_seconds, max_bytes=max_bytes
        )
        if response.is_ok:
            return response
        failure = _failure(response)
        if isinstance(failure, TooMany):
            self._wait(user, Instant(self._clock.now() + int(failure.after_seconds * SECOND)))
        raise failure

    def _wait(self, user: str, until: Instant) -> None:
        if len(self._not_before) >= _MAX_WAITING_USERS:
            self._not_before.clear()  # if a client still exceeds a limit, the next response states the limit again
        self._not_before[user] = until


class MatrixUser:
    """Calls for one user of our namespace."""

    def __init__(self, homeserver: Homeserver, localpart: str) -> None:
        self.homeserver = homeserver
        self.localpart = localpart
        self.user_id = homeserver.user_id(localpart)

    async def prepare(self) -> None:
        """Create the user and its device if they do not exist yet."""
        await self.homeserver.register(self.localpart)
        await self._call("PUT", "v3/devices", DEVICE, body={"display_name": "OpenMeet"}, has_device=False)

    async def create_room(self, wish: JsonObject) -> str:
        """Create a room and return its id. ``wish`` contains ``room_alias_name``. If the alias is already taken, the
        response to an earlier attempt was lost, and the room that has the alias is returned.
        """
        try:
            return _text(await self._call("POST", "v3/createRoom", body=wish), "room_id")
        except RemoteFailed as failed:
            if failed.name != "M_ROOM_IN_USE":
                raise
            existing = await self.homeserver.room_of_alias(wish["room_alias_name"])
            if existing is None:
                raise
            return existing

    async def state(self, room: str) -> list[JsonObject]:
        """Return all state events of a room (``GET /rooms/{id}/state``, whose response is a list)."""
        response = await self._call("GET", "v3/rooms", room, "state", max_bytes=SYNC_BYTES)
        return [one for one in response["items"] if isinstance(one, dict)]

    async def set_state(self, room: str, kind: str, content: JsonObject, key: str = "") -> str:
        """Set one state event; returns its event id."""
        return _text(await self._call("PUT", "v3/rooms", room, "state", kind, key, body=content), "event_id")

    async def send(self, room: str, kind: str, transaction: str, content: JsonObject) -> str:
        """Send an event and return its id. Repeating a ``transaction`` sends nothing and returns the id of the first
        event.

        All users of our registration share the transaction ids of a room, so the ids must be unique among them.
        """
        return _text(await self._call("PUT", "v3/rooms", room, "send", kind, transaction, body=content), "event_id")

    async def redact(self, room: str, event: str, transaction: str, reason: str = "") -> None:
        """Remove an event's content. An event that the homeserver does not have counts as removed."""
        body = {"reason": reason} if reason else {}
        try:
            await self._call("PUT", "v3/rooms", room, "redact", event, transaction, body=body)
        except RemoteFailed as failed:
            if failed.name != "M_NOT_FOUND":
                raise

    async def invite(self, room: str, user_id: str) -> None:
        """Invite somebody. It is not an error if they are already in the room or invited."""
        try:
            await self._call("POST", "v3/rooms", room, "invite", body={"user_id": user_id})
        except RemoteFailed as failed:
            if failed.status != 403 or await self.membership(room, user_id) not in {"join", "invite"}:
                raise

    async def kick(self, room: str, user_id: str, reason: str = "") -> None:
        """Remove somebody, or withdraw their invitation. It is not an error if they are not in the room."""
        await self._remove("kick", room, user_id, reason)

    async def ban(self, room: str, user_id: str, reason: str = "") -> None:
        """Ban somebody, who does not have to be in the room."""
        await self._remove("ban", room, user_id, reason)

    async def unban(self, room: str, user_id: str) -> None:
        """Lift a ban. It is not an error if the person is not banned."""
        await self._remove("unban", room, user_id, "")

    async def _remove(self, verb: str, room: str, user_id: str, reason: str) -> None:
        body = {"user_id": user_id} | ({"reason": reason} if reason else {})
        try:
            await self._call("POST", "v3/rooms", room, verb, body=body)
        except RemoteFailed as failed:
            done = {"kick": {"leave", "ban", ""}, "unban": {"leave", "join", "invite", ""}, "ban": {"ban"}}[verb]
            if failed.status != 403 or await self.membership(room, user_id) not in done:
                raise

    async def joined_rooms(self) -> list[str]:
        rooms = (await self._call("GET", "v3/joined_rooms")).get("joined_rooms")
        return [one for one in rooms if isinstance(one, str)] if isinstance(rooms, list) else []

    async def join(self, room: str) -> None:
        await self._call("POST", "v3/rooms", room, "join", body={})

    async def leave(self, room: str) -> None:
        """Leave a room or decline an invitation. It is not an error if the user is not in the room."""
        try:
            await self._call("POST", "v3/rooms", room, "leave", body={})
        except RemoteFailed as failed:
            if failed.status not in {403, 404}:
                raise

    async def membership(self, room: str, user_id: str) -> str:
        """Return ``join``, ``invite``, ``leave``, ``ban`` or ``knock``; empty for somebody who was never in the room."""
        try:
            response = await self._call("GET", "v3/rooms", room, "state", "m.room.member", user_id)
        except RemoteFailed as failed:
            if failed.status == 404:
                return ""
            raise
        value = response.get("membership")
        return value if isinstance(value, str) else ""

    async def members(self, room: str) -> list[JsonObject]:
        """Return the membership events of everybody who is or was in the room or has been invited."""
        response = await self._call("GET", "v3/rooms", room, "members", max_bytes=SYNC_BYTES)
        return events_of(response.get("chunk"))

    async def state_event(self, room: str, kind: str) -> JsonObject:
        """Return the content of one state event; empty if it does not exist."""
        try:
            return await self._call("GET", "v3/rooms", room, "state", kind, "")
        except RemoteFailed as failed:
            if failed.status == 404:
                return {}
            raise

    async def reactions(self, room: str, event: str) -> list[JsonObject]:
        """Return the reactions to an event (CS API, Relationships API), at most two thousand."""
        events: list[JsonObject] = []
        query = {"limit": "100"}
        for _ in range(20):
            page = await self._call(
                "GET",
                "v1/rooms",
                room,
                "relations",
                event,
                "m.annotation",
                "m.reaction",
                query=query,
                max_bytes=SYNC_BYTES,
            )
            events += events_of(page.get("chunk"))
            following = page.get("next_batch")
            if not isinstance(following, str):
                break
            query = {"limit": "100", "from": following}
        return events

    async def event(self, room: str, event: str) -> JsonObject | None:
        """Return one event with its original content, or None if it does not exist."""
        try:
            return await self._call("GET", "v3/rooms", room, "event", event)
        except RemoteFailed as failed:
            if failed.status == 404:
                return None
            raise

    async def sync(self, since: str, *, wait_seconds: float, timeline: int, max_bytes: int = SYNC_BYTES) -> JsonObject:
        """Return what is new since the cursor. An empty cursor means from now on; the response's ``next_batch`` is the
        next cursor.

        ``timeline``: maximum number of events per room. Presence, account data and typing notifications are excluded.
        """
        sync_filter = {
            "presence": {"not_types": ["*"]},
            "account_data": {"not_types": ["*"]},
            "room": {
                "account_data": {"not_types": ["*"]},
                "ephemeral": {"not_types": ["*"]},
                "timeline": {"limit": timeline},
                "state": {"lazy_load_members": True},
            },
        }
        query = {"filter": msgspec.json.encode(sync_filter).decode(), "timeout": str(int(wait_seconds * 1000))}
        if since:
            query["since"] = since
        return await self._call(
            "GET", "v3/sync", query=query, timeout_seconds=wait_seconds + _SYNC_SECONDS, max_bytes=max_bytes
        )

    async def messages(
        self, room: str, start: str, *, end: str = "", backwards: bool = True, limit: int = 100
    ) -> JsonObject:
        """Return a page of a room's events (``GET /rooms/{id}/messages``) with ``chunk`` and, if there may be more,
        ``end``.
        """
        query = {"dir": "b" if backwards else "f", "limit": str(limit)} | ({"from": start} if start else {})
        if end:
            query["to"] = end
        return await self._call("GET", "v3/rooms", room, "messages", query=query, max_bytes=SYNC_BYTES)

    async def upload(self, body: bytes, media_type: str) -> str:
        """Upload a file and return its ``mxc://`` address. Uploading the same bytes again creates another file."""
        return await self.homeserver.upload(body, media_type, query=self._acting, user=self.localpart)

    async def download(self, uri: str, max_bytes: int) -> bytes:
        """Download the file at an ``mxc://`` address. Raises ResponseTooLarge."""
        query = {**self._acting, "timeout_ms": "30000"}
        # Downloads have their own rate limit, so that people who send many files cannot block our other calls.
        return await self.homeserver.download(uri, query=query, user=f"{self.localpart} files", max_bytes=max_bytes)

    @property
    def _acting(self) -> dict[str, str]:
        return {"user_id": self.user_id, "device_id": DEVICE}

    async def set_name(self, name: str) -> None:
        """Set the display name that is shown in all rooms."""
        await self._call("PUT", "v3/profile", self.user_id, "displayname", body={"displayname": name})

    async def _call(
        self,
        method: str,
        path: str,
        *values: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        has_device: bool = True,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        max_bytes: int = MAX_RESPONSE_BYTES,
    ) -> JsonObject:
        acting = {"user_id": self.user_id} | ({"device_id": DEVICE} if has_device else {})
        return await self.homeserver.call(
            method,
            path,
            *values,
            query={**acting, **(query or {})},
            body=body,
            user=self.localpart,
            timeout_seconds=timeout_seconds,
            max_bytes=max_bytes,
        )


def _with(url: str, query: Mapping[str, str] | None) -> str:
    return f"{url}?{urlencode(query, quote_via=quote, safe='')}" if query else url


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value or len(value) > 255:
        raise RemoteFailed(f"The homeserver’s answer has no {key}.")
    return value


def _failure(response: HttpResponse) -> RemoteFailed | TooMany | Unavailable:
    """Read Matrix's standard error (CS API, Standard error response). Also handles bodies of any other form."""
    error_body = _lenient(response.body[:4096])
    code = error_body.get("errcode") if isinstance(error_body, dict) else None
    name = code[:100] if isinstance(code, str) else None
    if response.status == 429 or name == "M_LIMIT_EXCEEDED":
        return TooMany(
            "The homeserver limits how often we may call it.",
            after_seconds=_asked_seconds(response, error_body if isinstance(error_body, dict) else {}),
            name=name,
        )
    reason = f"The homeserver answered with status {response.status}{f' ({name})' if name else ''}."
    if response.status >= 500:
        return Unavailable(reason, name=name)
    return RemoteFailed(reason, name=name, status=response.status)


def _asked_seconds(response: HttpResponse, error_body: Mapping[str, Any]) -> float:
    milliseconds = error_body.get("retry_after_ms")
    header = response.headers.get("retry-after", "")
    if isinstance(milliseconds, int) and milliseconds > 0:
        seconds = milliseconds / 1000
    elif header.isascii() and header.isdigit() and len(header) < 9:
        seconds = float(header)
    else:
        seconds = 5.0
    return min(max(seconds, 0.1), _LONGEST_WAIT_SECONDS)


async def _object_of(response: HttpResponse) -> JsonObject:
    """Return the JSON object of a response; a list is wrapped as ``items``.

    Duplicate keys and lone surrogates are accepted here: with strict parsing, one malformed event from any sender would
    hide all the others in the response. ``content`` validates each event.
    """
    large = len(response.body) > _LARGE_BYTES
    value = await asyncio.to_thread(_lenient, response.body) if large else _lenient(response.body)
    if isinstance(value, list):
        return {"items": value}
    if not isinstance(value, dict):
        raise RemoteFailed("The homeserver did not answer with JSON.", status=response.status)
    return value


def _lenient(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def state_content(state: Sequence[JsonObject], kind: str, key: str = "") -> JsonObject:
    """Return the content of one event in a room's state; empty if it does not exist."""
    event = next((one for one in state if one.get("type") == kind and one.get("state_key") == key), {})
    inner = event.get("content")
    return inner if isinstance(inner, dict) else {}


def events_of(value: object) -> list[JsonObject]:
    """Return the objects in a list of events; items that are not objects are skipped."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
