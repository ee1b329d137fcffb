"""A relay's socket, which serves given frames at ``subscribeRepos`` after a cursor, as any relay would.

Only the transport is simulated; the frames are real (captured, or signed by a simulated network).
"""

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from aiohttp import WSCloseCode, web

PATH = "/xrpc/com.atproto.sync.subscribeRepos"


def read_frames(path: Path) -> list[bytes]:
    """The frames of a capture file: ``{uint32 little-endian length, frame}`` repeated."""
    data = path.read_bytes()
    frames, offset = [], 0
    while offset < len(data):
        (length,) = struct.unpack_from("<I", data, offset)
        frames.append(data[offset + 4 : offset + 4 + length])
        offset += 4 + length
    return frames


@dataclass
class Relay:
    """A relay socket on loopback. ``sequences[i]`` is the seq of ``frames[i]``. ``cursors``: the cursors that
    subscribers sent.
    """

    frames: Sequence[bytes]
    sequences: Sequence[int]
    url: str = ""
    connections: int = 0
    cursors: list[int | None] = field(default_factory=list)
    _runner: web.AppRunner | None = field(default=None, repr=False)
    _stop: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get(PATH, self._subscribe)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stop.set()
        if self._runner:
            await self._runner.cleanup()

    async def _subscribe(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        self.connections += 1
        cursor = int(request.query.get("cursor", 0))
        self.cursors.append(cursor if "cursor" in request.query else None)
        for seq, frame in zip(self.sequences, self.frames, strict=True):
            if seq > cursor:
                await socket.send_bytes(frame)
        closing = asyncio.create_task(self._stop.wait())
        receiving = asyncio.create_task(socket.receive())
        await asyncio.wait({closing, receiving}, return_when=asyncio.FIRST_COMPLETED)
        for task in (closing, receiving):
            task.cancel()
        await socket.close(code=WSCloseCode.GOING_AWAY)
        return socket
