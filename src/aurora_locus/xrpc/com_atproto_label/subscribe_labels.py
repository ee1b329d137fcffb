"""Every label and negation of this host over a WebSocket, live or from a cursor. None is ever removed from the log."""

import asyncio
import contextlib
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from at_protocol.data.model import Value
from at_protocol.sync import frames
from at_protocol.sync.labels import LABELS_FRAME, SUBSCRIBE_LABELS
from aurora_locus.moderation import labels
from aurora_locus.moderation.labels import Labels
from aurora_locus.xrpc.host import XrpcHost
from groundwork.http.websockets import until_disconnected
from groundwork.telemetry.logs import log

NSID = SUBSCRIBE_LABELS

_PAGE = 100
# Polling interval for labels of other processes. Those of this process are sent at once.
_LOOK_AGAIN_SECONDS = 5.0


async def subscribe_labels(host: XrpcHost, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one subscriber until either side ends the connection."""
    server_labels = host.labels
    await receive()  # websocket.connect
    # Read before the handshake ends: a subscriber without a cursor gets every label from then on.
    async with server_labels.db.reader() as reader:
        last = await labels.last_number(reader)
    await send({"type": "websocket.accept"})
    parameters = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    cursor = parameters.get("cursor", str(last))
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        await _refuse(send, "InvalidRequest", "The cursor is not the number of a label.")
        return
    if int(cursor) > last:
        await _refuse(send, "FutureCursor", "Your cursor is ahead of every label.")
        return
    follow_task = asyncio.create_task(_follow(server_labels, int(cursor), send))
    disconnection = asyncio.create_task(until_disconnected(receive))
    try:
        await asyncio.wait({follow_task, disconnection}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        follow_task.cancel()
        disconnection.cancel()
        failure, _ = await asyncio.gather(follow_task, disconnection, return_exceptions=True)
        if isinstance(failure, Exception):  # the subscriber sees a closed socket and reconnects with its cursor
            log.error("labels.stream_failed", exc_info=failure)


async def _follow(server_labels: Labels, position: int, send: Send) -> None:
    wakeup = asyncio.Event()
    server_labels.waiting.add(wakeup)
    try:
        while True:
            wakeup.clear()
            async with server_labels.db.reader() as reader:
                page = await labels.after(reader, position, _PAGE)
            for label in page:
                payload: dict[str, Value] = {"seq": label.seq, "labels": [dict(labels.as_record(label))]}
                await send({"type": "websocket.send", "bytes": frames.encode_message(LABELS_FRAME, payload)})
                position = label.seq
            if not page:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                        await wakeup.wait()
    finally:
        server_labels.waiting.discard(wakeup)


async def _refuse(send: Send, error: str, message: str) -> None:
    await send({"type": "websocket.send", "bytes": frames.encode_error(error, message)})
    await send({"type": "websocket.close", "code": 1008, "reason": error})
