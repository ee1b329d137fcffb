"""A proxy in front of a server that can lose responses: the request arrives and is processed, but the client gets no
response.

It can also delay requests: the client gives up, and the request arrives later, after other requests.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from aiohttp import ClientConnectionResetError, ClientSession, WSMsgType, web

HOP_BY_HOP = frozenset({"host", "connection", "transfer-encoding", "content-length", "content-encoding", "keep-alive"})


# Event loop rounds until data that a client has written is a request here: accepted, read, parsed, dispatched.
_ROUNDS_THROUGH_SOCKETS = 20


def never(_request: web.Request) -> bool:
    return False


async def nothing(_request: web.Request) -> None:
    return None


def passes(_request: web.Request) -> web.Response | None:
    return None


def keeps(_frame: bytes) -> bool:
    return False


def as_it_is(_request: web.Request, _answer: web.Response) -> web.Response | None:
    return None


@dataclass(frozen=True)
class OnItsWay:
    """A request that was sent and has not arrived yet."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class LossyProxy:
    """Forwards everything to ``upstream``. If ``loses(request)`` is true, the response is dropped and counted.

    If ``delays(request)`` is true, the client's connection is broken, and the request waits for ``deliver``.
    ``twists(request, answer)`` can return another response in place of the upstream's, or None to keep it.
    ``before(request)`` is called before the request is forwarded, ``meanwhile(request)`` when the upstream has answered
    but the client has no response yet. A request that ``stops(request)`` answers itself is never forwarded. Frames of a
    stream for which ``drops(frame)`` is true are silently lost.
    """

    upstream: str
    loses: Callable[[web.Request], bool] = never
    delays: Callable[[web.Request], bool] = never
    twists: Callable[[web.Request, web.Response], web.Response | None] = as_it_is
    stops: Callable[[web.Request], web.Response | None] = passes
    drops: Callable[[bytes], bool] = keeps
    before: Callable[[web.Request], Awaitable[None]] = nothing
    meanwhile: Callable[[web.Request], Awaitable[None]] = nothing
    url: str = ""
    lost: int = 0
    on_their_way: list[OnItsWay] = field(default_factory=list)
    _busy: int = field(default=0, repr=False)
    _runner: web.AppRunner | None = field(default=None, repr=False)
    _session: ClientSession | None = field(default=None, repr=False)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=200 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._session = ClientSession(auto_decompress=False)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner:
            await self._runner.cleanup()
        if self._session:
            await self._session.close()

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        self._busy += 1
        try:
            return await self._forward_now(request)
        finally:
            self._busy -= 1

    async def quiet(self) -> None:
        """Wait until every request has been processed, even if its client is gone, so that nothing is left in the
        sockets.
        """
        idle = 0
        while idle < _ROUNDS_THROUGH_SOCKETS:
            await asyncio.sleep(0)
            idle = 0 if self._busy else idle + 1

    async def _forward_now(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._forward_socket(request, self._session)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        body = await request.read()
        if self.delays(request):
            self.on_their_way.append(OnItsWay(request.method, request.raw_path, headers, body))
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        await self.before(request)
        stopped = self.stops(request)
        if stopped is not None:
            return stopped
        answer = await self._session.request(
            request.method, self.upstream + request.raw_path, headers=headers, data=body or None, allow_redirects=False
        )
        async with answer:
            content = await answer.read()
        await self.meanwhile(request)
        if self.loses(request):
            self.lost += 1
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        kept = {n: v for n, v in answer.headers.items() if n.lower() not in HOP_BY_HOP - {"content-encoding"}}
        reply = web.Response(status=answer.status, headers=kept, body=content)
        return self.twists(request, reply) or reply

    async def deliver(self) -> list[int]:
        """Forward the delayed requests in the order in which they were sent. Returns their statuses, which no client
        receives.
        """
        return [status for status, _ in await self.deliver_and_read()]

    async def deliver_and_read(self) -> list[tuple[int, bytes]]:
        """Like ``deliver``, and also return the bodies of the responses."""
        assert self._session is not None
        arriving, self.on_their_way = self.on_their_way, []
        answers: list[tuple[int, bytes]] = []
        for one in arriving:
            plain = {name: value for name, value in one.headers.items() if name.lower() != "accept-encoding"}
            plain["accept-encoding"] = "identity"  # the response is read here, without decompression
            async with self._session.request(
                one.method, self.upstream + one.path, headers=plain, data=one.body or None, allow_redirects=False
            ) as answer:
                answers.append((answer.status, await answer.read()))
        return answers

    async def _forward_socket(self, request: web.Request, session: ClientSession) -> web.WebSocketResponse:
        down = web.WebSocketResponse(max_msg_size=0)
        await down.prepare(request)
        async with session.ws_connect(self.upstream + request.raw_path, max_msg_size=0) as up:
            with contextlib.suppress(ClientConnectionResetError):  # the subscriber is gone
                async for message in up:
                    if message.type is WSMsgType.BINARY:
                        if self.drops(message.data):
                            continue
                        await down.send_bytes(message.data)
                    elif message.type is WSMsgType.TEXT:
                        await down.send_str(message.data)
        await down.close()
        return down
