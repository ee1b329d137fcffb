"""The firehose: every event of this host over a WebSocket, live or from a cursor."""

import asyncio
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from at_protocol.sync import frames
from aurora_locus.sequencer.subscription import FAREWELL_SECONDS, StreamError, follow, parse_cursor
from aurora_locus.xrpc.host import XrpcHost
from groundwork.clock import SECOND, Instant
from groundwork.http.websockets import until_disconnected

NSID = "com.atproto.sync.subscribeRepos"


async def subscribe_repos(host: XrpcHost, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one subscriber until either side ends the connection."""
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    client = scope.get("client")
    parameters = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    cursor = parse_cursor([text for name, text in parameters if name == "cursor"])
    if isinstance(cursor, StreamError):
        await _refuse(send, cursor)
        return

    async def send_frame(frame: bytes) -> None:
        await send({"type": "websocket.send", "bytes": frame})

    peer = client[0] if client else ""
    window_starts_at = Instant(host.clock.now() - round(host.settings.replay_seconds * SECOND))
    follow_task = asyncio.create_task(
        follow(host.db, host.repositories.live, cursor, peer, send_frame, window_starts_at=window_starts_at)
    )
    disconnection = asyncio.create_task(until_disconnected(receive))
    try:
        await asyncio.wait({follow_task, disconnection}, return_when=asyncio.FIRST_COMPLETED)
        if disconnection.done():
            return
        refusal = follow_task.result()
        # A subscriber that no longer reads may never accept this message; the connection is then cut.
        async with asyncio.timeout(FAREWELL_SECONDS):
            await _refuse(send, refusal)
    except TimeoutError:
        return
    finally:
        follow_task.cancel()
        disconnection.cancel()
        await asyncio.gather(follow_task, disconnection, return_exceptions=True)


async def _refuse(send: Send, refusal: StreamError) -> None:
    await send({"type": "websocket.send", "bytes": frames.encode_error(refusal.error, refusal.message)})
    await send({"type": "websocket.close", "code": refusal.code, "reason": refusal.error})
