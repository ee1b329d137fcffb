"""``/subscribe``: this server's stream as JSON in Jetstream's format, for readers who trust this server.

It is the same log as the firehose, read by the same code, but in a different encoding. Records that were taken down are
left out, which is possible because this stream is not signed. Compression is not supported, because it needs a
dictionary that this project does not own.

The filters and the cursor of a subscriber are parsed by pure functions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from at_protocol.data import json_form
from at_protocol.failures import Malformed
from at_protocol.sync import events, frames
from at_protocol.sync.jetstream import FIRST_TIME_CURSOR, MAX_WANTED_COLLECTIONS, MAX_WANTED_DIDS
from at_protocol.sync.jetstream_writing import JetstreamLine, lines_of
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import parse_nsid
from aurora_locus.federation.stream_slots import StreamSlots
from aurora_locus.sequencer import queries
from aurora_locus.sequencer.live_events import LiveEvents
from aurora_locus.sequencer.retry import read_with_retry
from aurora_locus.sequencer.subscription import AWAY, FAREWELL_SECONDS, StreamError, follow
from groundwork.clock import SECOND, Clock, Instant
from groundwork.database.transaction import Database
from groundwork.errors import Unavailable
from groundwork.http.addresses import network_of
from groundwork.threads import ClientComputations

# 2^63 bounds the microseconds that a database can compare, and the work of parsing them.
_MAX_DIGITS = 18
PATH = "/subscribe"

# Clock skew between several processes on one database. Resuming by time may repeat events.
_SKEW = SECOND
# Subscribers at the same position share encoded frames. Of large ones, which take long to encode, only a few are kept.
_KEPT_FRAMES = 512
_KEPT_FRAME_BYTES = 64 * 1024
_KEPT_LARGE_FRAMES = 4

# Decisions of operators are reloaded at most once a second.
_FRESH_FOR: Final = SECOND
_HIDDEN_ACCOUNTS: Final = """
    select did from accounts where takedown_ref is not null or suspended_at is not null order by did
"""
_HIDDEN_RECORDS: Final = "select did, collection, rkey from record_takedowns order by did, collection, rkey"

_BAD_MESSAGE = StreamError("InvalidRequest", "The message is not an options_update.")


@dataclass(frozen=True, slots=True)
class JetstreamOptions:
    """The filters of a subscriber of Jetstream. An event is sent if it passes all of them; an empty filter passes
    everything. ``max_bytes``: of its line of JSON; 0 means no limit.
    """

    collections: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    dids: frozenset[str] = frozenset()
    max_bytes: int = 0

    def want(self, line: JetstreamLine) -> bool:
        """Whether an event passes the filters. Identity and account events have no collection, so only the account
        filter applies to them.
        """
        if self.dids and line.did not in self.dids:
            return False
        if self.max_bytes and len(line.text.encode()) > self.max_bytes:
            return False
        if line.collection is None or not (self.collections or self.prefixes):
            return True
        return line.collection in self.collections or line.collection.startswith(self.prefixes)


def parse_options(collections: Sequence[str], dids: Sequence[str], max_bytes: object) -> JetstreamOptions:
    """Parse a subscriber's filters. Raises Malformed for an invalid collection, prefix or account, and for too many of
    them.
    """
    if len(collections) > MAX_WANTED_COLLECTIONS:
        raise _bad(len(collections), f"at most {MAX_WANTED_COLLECTIONS} collections can be requested")
    if len(dids) > MAX_WANTED_DIDS:
        raise _bad(len(dids), f"at most {MAX_WANTED_DIDS} accounts can be requested")
    exact_collections, prefixes = set(), []
    for text in collections:
        if text.endswith(".*"):
            parse_nsid(f"{text.removesuffix('*')}any")
            prefixes.append(text.removesuffix("*"))
        else:
            exact_collections.add(str(parse_nsid(text)))
    wanted_dids = frozenset(str(parse_did(did)) for did in dids)
    return JetstreamOptions(frozenset(exact_collections), tuple(prefixes), wanted_dids, _size(max_bytes))


def parse_update(message: object) -> JetstreamOptions | None:
    """Parse the options in an ``options_update``; None for messages of other types. Raises Malformed."""
    if not isinstance(message, Mapping) or not isinstance(message.get("type"), str):
        raise _bad(message, "a message must have a type")
    if message["type"] != "options_update":
        return None
    payload: Any = message.get("payload")
    if not isinstance(payload, Mapping):
        raise _bad(payload, "an options_update must have a payload")
    collections, dids = payload.get("wantedCollections") or [], payload.get("wantedDids") or []
    for texts in (collections, dids):
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _bad(texts, "wantedCollections and wantedDids must be lists of strings")
    return parse_options(collections, dids, payload.get("maxMessageSizeBytes"))


def parse_cursor(text: str | None) -> int | None:
    """Parse a cursor: a sequence number (below 10^15) or microseconds. None means the current end. Raises Malformed."""
    if not text:
        return None
    if len(text) > _MAX_DIGITS or not text.isascii() or not text.isdigit():
        raise _bad(text, "a cursor must be an integer: Unix microseconds, or the cursor of an event")
    return int(text)


def is_time(cursor: int) -> bool:
    """Whether a cursor is a time in microseconds, not a sequence number."""
    return cursor >= FIRST_TIME_CURSOR


def _size(value: object) -> int:
    """Parse a size; an invalid one means no limit, as in Jetstream."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        return int(value)
    return value if type(value) is int and value > 0 else 0


def _bad(value: object, why: str) -> Malformed:
    return Malformed("jetstream", value, why)


@dataclass(slots=True)
class TakedownIndex:
    """What the stream leaves out: accounts and records that operators have taken down, and suspended accounts. The sets
    are small, because operators decide about each entry.
    """

    db: Database
    clock: Clock
    _accounts: frozenset[str] = frozenset()
    _records: frozenset[tuple[str, str, str]] = frozenset()
    _read_at: Instant | None = None
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refresh(self) -> None:
        """Reload the decisions, unless that happened less than a second ago. Subscribers that call this at the same time
        share one read.
        """
        if self._is_fresh():
            return
        async with self._reading:
            if self._is_fresh():
                return
            now = self.clock.now()
            async with self.db.reader() as reader:
                accounts = await reader.fetch(_HIDDEN_ACCOUNTS)
                records = await reader.fetch(_HIDDEN_RECORDS)
            self._accounts = frozenset(row["did"] for row in accounts)
            self._records = frozenset((row["did"], row["collection"], row["rkey"]) for row in records)
            self._read_at = now

    def _is_fresh(self) -> bool:
        return self._read_at is not None and self.clock.now() - self._read_at < _FRESH_FOR

    def hides(self, line: JetstreamLine) -> bool:
        """Whether the event is about a record that is taken down, or that is hidden with its account."""
        if line.rkey is None or line.collection is None:
            return False
        return line.did in self._accounts or (line.did, line.collection, line.rkey) in self._records


# Counts the opening of a stream with these headers by this address. Raises RateLimited.
CountOpening = Callable[[Iterable[tuple[bytes, bytes]], str], Awaitable[None]]


class Jetstream:
    """The WebSocket endpoint. Invalid options are refused with 400 before the upgrade, too many streams with 429."""

    def __init__(
        self,
        db: Database,
        live: LiveEvents,
        slots: StreamSlots,
        taken_down: TakedownIndex,
        computations: ClientComputations,
        count_opening: CountOpening,
        *,
        is_served: bool,
    ) -> None:
        self._db = db
        self._live = live
        self._slots = slots
        self._is_served = is_served
        self._taken_down = taken_down
        self._computations = computations
        self._count_opening = count_opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        peer = client[0] if client else ""
        await self._count_opening(scope["headers"], peer)
        with self._slots.held(peer):
            await self._answer(scope, receive, send, peer)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, peer: str) -> None:
        await receive()  # websocket.connect
        if not self._is_served:
            await _refuse(send, 501, "MethodNotImplemented", "This server has no such stream.")
            return
        try:
            query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            cursor = parse_cursor(_single_value(query, "cursor"))
            options = _options(query, scope)
        except (Malformed, ValueError) as error:
            await _refuse(send, 400, "InvalidRequest", error.why if isinstance(error, Malformed) else str(error))
            return
        await send({"type": "websocket.accept"})
        # A stream never has more than one frame waiting, so it waits for its turn.
        compute = partial(self._computations.compute_in_turn, network_of(peer))
        waits = _single_value(query, "requireHello") == "true"
        reader = _JetstreamReader(send, options, self._taken_down, compute, waits=waits)
        await _serve(self._db, self._live, cursor, peer, reader, receive)


class _JetstreamReader:
    """One subscriber with its options, which it can change at any time."""

    def __init__(
        self,
        send: Send,
        options: JetstreamOptions,
        taken_down: TakedownIndex,
        compute: Callable[..., Awaitable[Any]],
        *,
        waits: bool,
    ) -> None:
        self._send = send
        self._compute = compute
        self._taken_down = taken_down
        self._options = options
        self.ready = asyncio.Event()
        if not waits:
            self.ready.set()

    async def take(self, frame: bytes) -> None:
        lines: Sequence[JetstreamLine] = await self._compute(len(frame), lines_in, frame)
        if any(line.rkey is not None for line in lines):
            await self._taken_down.refresh()
        for line in lines:
            if self._options.want(line) and not self._taken_down.hides(line):
                await self._send({"type": "websocket.send", "text": line.text})

    async def listen(self, receive: Receive) -> StreamError | None:
        """Process the subscriber's messages until it disconnects (returns None) or sends an invalid one."""
        while (message := await receive())["type"] != "websocket.disconnect":
            content = message.get("text") or message.get("bytes") or b""
            try:
                options = await self._compute(len(content), _read_update, content)
            except Malformed:
                return _BAD_MESSAGE
            if options is not None:
                self._options = options
                self.ready.set()
        return None

    async def dismiss(self, refusal: StreamError) -> None:
        await self._send({"type": "websocket.close", "code": refusal.code, "reason": refusal.error})


async def _serve(
    db: Database, live: LiveEvents, cursor: int | None, peer: str, reader: _JetstreamReader, receive: Receive
) -> None:
    async def feed() -> StreamError:
        await reader.ready.wait()
        try:
            position = await read_with_retry(lambda: _position(db, live, cursor))
        except Unavailable:
            return AWAY
        return await follow(db, live, position, peer, reader.take)

    feeding, listening = asyncio.create_task(feed()), asyncio.create_task(reader.listen(receive))
    try:
        await asyncio.wait({feeding, listening}, return_when=asyncio.FIRST_COMPLETED)
        refusal = listening.result() if listening.done() else feeding.result()
        if refusal is not None:
            # A subscriber that no longer reads may never accept this message; the connection is then cut.
            async with asyncio.timeout(FAREWELL_SECONDS):
                await reader.dismiss(refusal)
    except TimeoutError:
        return
    finally:
        feeding.cancel()
        listening.cancel()
        await asyncio.gather(feeding, listening, return_exceptions=True)


async def _position(db: Database, live: LiveEvents, cursor: int | None) -> int | None:
    """Return the start position of a subscriber; None means the current end. A cursor in the future means the current
    end, a very old one the oldest event.
    """
    if cursor is None:
        return None
    if is_time(cursor):
        return await queries.position_at(db, Instant(cursor - _SKEW))
    return cursor if cursor <= live.buffer.head else None


def _read_update(content: str | bytes) -> JetstreamOptions | None:
    return parse_update(json_form.decode(content))


def lines_in(frame: bytes) -> Sequence[JetstreamLine]:
    """The lines of a frame of the firehose, encoded once for subscribers at the same position."""
    return _kept_lines(frame) if len(frame) <= _KEPT_FRAME_BYTES else _kept_large_lines(frame)


def _read_lines(frame: bytes) -> Sequence[JetstreamLine]:
    message = events.read(frame)
    return [] if message is None or isinstance(message, frames.ErrorFrame) else lines_of(message)


_kept_lines = lru_cache(_KEPT_FRAMES)(_read_lines)
_kept_large_lines = lru_cache(_KEPT_LARGE_FRAMES)(_read_lines)


def _options(query: Mapping[str, list[str]], scope: Scope) -> JetstreamOptions:
    if _single_value(query, "compress") == "true" or (b"socket-encoding", b"zstd") in scope["headers"]:
        raise Malformed("jetstream", "zstd", "compressed messages are not supported")
    collections, dids = query.get("wantedCollections", ()), query.get("wantedDids", ())
    return parse_options(collections, dids, _single_value(query, "maxMessageSizeBytes"))


def _single_value(query: Mapping[str, list[str]], name: str) -> str | None:
    values = query.get(name)
    return values[-1] if values else None


async def _refuse(send: Send, status: int, error: str, why: str) -> None:
    body = msgspec.json.encode({"error": error, "message": f"{why[:1].upper()}{why[1:].rstrip('.')}."})
    headers = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
