"""``/export/stream``: the export as a WebSocket, one operation per message: first those after a cursor, then new ones.

Source: did:plc method 0.3, "HTTP API". There is no queue per subscriber. Each reads the database, a page at a time, at
its own speed, so that it gets every number in order and a slow subscriber costs only a page. An operation accepted by
this process wakes all subscribers. Operations from other processes on the same database are found by polling.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from starlette.types import Send
from starlette.websockets import WebSocket

from at_protocol.data.model import MAX_INTEGER
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database
from groundwork.http.websockets import until_disconnected
from plc_directory import store
from plc_directory.lines import sequenced
from plc_directory.store import ExportedOperation

# Maximum age of a cursor. Older subscribers catch up with /export.
WINDOW = 7 * DAY

_PAGE = 200
_LOOK_SECONDS = 5.0
# Timeout for a subscriber to accept a message, and then the close reason.
SEND_SECONDS = 30.0
_FAREWELL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CloseReason:
    """Close reasons of the socket. RFC 6455 7.4.1: 1008, a policy of the endpoint was violated."""

    reason: str
    code: int = 1008


FUTURE_CURSOR = CloseReason("FutureCursor")
OUTDATED_CURSOR = CloseReason("OutdatedCursor")
TOO_SLOW = CloseReason("ConsumerTooSlow")


class ExportStream:
    """The subscribers of the stream in this process."""

    def __init__(self, db: Database, *, send_seconds: float = SEND_SECONDS) -> None:
        self._db = db
        self._send_seconds = send_seconds
        self._news = asyncio.Event()
        self.subscribers = 0

    def announce(self) -> None:
        """Wake all subscribers because an operation was accepted."""
        self._news.set()
        self._news = asyncio.Event()

    async def serve(self, socket: WebSocket) -> None:
        """Serve one subscriber until either side ends the connection. An invalid cursor is rejected before the upgrade."""
        await socket.receive()
        cursor = _parse(socket.query_params.get("cursor"))
        if isinstance(cursor, str):
            await _refuse(socket.send, cursor)
            return
        self.subscribers += 1
        try:
            await socket.accept()
            await self._serve(socket, cursor)
        finally:
            self.subscribers -= 1

    async def _serve(self, socket: WebSocket, cursor: int | None) -> None:
        feeding = asyncio.create_task(self._feed(socket, cursor))
        disconnection = asyncio.create_task(until_disconnected(socket.receive))
        try:
            await asyncio.wait({feeding, disconnection}, return_when=asyncio.FIRST_COMPLETED)
            if disconnection.done():
                return
            farewell = feeding.result()
            # A subscriber that stopped reading might never accept this. The connection is then cut.
            async with asyncio.timeout(min(_FAREWELL_SECONDS, self._send_seconds)):
                await socket.close(farewell.code, farewell.reason)
        except TimeoutError:
            return
        finally:
            feeding.cancel()
            disconnection.cancel()
            await asyncio.gather(feeding, disconnection, return_exceptions=True)

    async def _feed(self, socket: WebSocket, cursor: int | None) -> CloseReason:
        position = await self._begin(cursor)
        if isinstance(position, CloseReason):
            return position
        while True:
            # Taken before the page is read: an operation accepted after this either wakes us or is in the page.
            new_operations = self._news
            page = await self._page(position)
            try:
                for line in page:
                    async with asyncio.timeout(self._send_seconds):
                        await socket.send_text(msgspec.json.encode(sequenced(line)).decode())
                    position = line.seq
            except TimeoutError:
                return TOO_SLOW
            if len(page) < _PAGE:
                await _heard(new_operations)

    async def _begin(self, cursor: int | None) -> int | CloseReason:
        """Return the number after which reading begins. Without a cursor, only new operations are sent."""
        async with self._db.reader() as reader:
            last = await store.last_number(reader)
            if cursor is None:
                return last
            if cursor > last:
                return FUTURE_CURSOR
            missed = await store.export_after_seq(reader, cursor, 1)
            now = reader.now
        return OUTDATED_CURSOR if missed and missed[0].created_at < Instant(now - WINDOW) else cursor

    async def _page(self, after: int) -> Sequence[ExportedOperation]:
        async with self._db.reader() as reader:
            return await store.export_after_seq(reader, after, _PAGE)


async def _heard(new_operations: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await new_operations.wait()
    except TimeoutError:
        return  # it is time to poll for operations from other processes


def _parse(text: str | None) -> int | str | None:
    """Return the cursor, None if not given, or a sentence about what is wrong with it."""
    if text is None:
        return None
    # No operation number has more than 19 digits, and int() rejects thousands of them.
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or int(text) > MAX_INTEGER:
        return "cursor is the number of an operation: a whole number, zero or above."
    return int(text)


async def _refuse(send: Send, why: str) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": 400, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": msgspec.json.encode({"message": why})})
