"""A Jetstream server on loopback, and following it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import zstandard
from aiohttp import web

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.syntax.did import parse_did
from openmeet.network.firehose import cursors
from openmeet.network.firehose.jetstream import follow_jetstream
from openmeet.network.records.collections import EVENT
from tests.openmeet.firehose.conftest import Bench
from tests.openmeet.firehose.single_path_server import answering
from tests.timeouts import TIMEOUT_SECONDS

JETSTREAM_AUTHOR = parse_did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
# 2026-07-04T22:00:00Z in microseconds, before the tests' clock.
EVENT_TIME_US = 1_783_202_400_000_000


def event_line(name: str, time_us: int, *, cid: str = "", operation: str = "create") -> str:
    """A calendar event as a Jetstream server sends it."""
    record = {"$type": EVENT, "name": name, "createdAt": "2026-07-04T00:00:00Z"}
    commit = {"rev": "3l3qo2vutsw2b", "operation": operation, "collection": EVENT, "rkey": "tea"}
    if operation != "delete":
        commit |= {"record": record, "cid": cid or str(Cid.for_cbor(cbor.encode(record)))}
    return json.dumps({"did": JETSTREAM_AUTHOR, "time_us": time_us, "kind": "commit", "commit": commit})


@dataclass
class JetstreamServer:
    """A Jetstream server on loopback that sends these lines to every client, in one encoding."""

    lines: list[str]
    way: str = "plain"
    dictionary: zstandard.ZstdCompressionDict | None = None
    url: str = ""
    queries: list[dict[str, str]] = field(default_factory=list)
    was_deflated: list[bool] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=self.way == "deflated")
        await socket.prepare(request)
        self.queries.append(dict(request.query))
        self.was_deflated.append(bool(socket.compress))
        packer = zstandard.ZstdCompressor(dict_data=self.dictionary) if request.query.get("compress") else None
        for line in self.lines:
            if packer is None:
                await socket.send_str(line)
            else:
                await socket.send_bytes(packer.compress(line.encode()))
        await socket.receive()
        return socket


@asynccontextmanager
async def serve_jetstream(server: JetstreamServer) -> AsyncIterator[JetstreamServer]:
    async with answering("/subscribe", server.answer) as server.url:
        yield server


async def follow_jetstream_until(
    bench: Bench, url: str, is_done: Callable[[], Awaitable[bool]], *, unpack: Callable[[bytes], bytes] | None = None
) -> None:
    stop = asyncio.Event()
    following = asyncio.create_task(follow_jetstream(bench.consumer, url, stop, unpack=unpack))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not await is_done():  # noqa: ASYNC110 - it moves in a database, which rings no bell
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await following


def has_read_to(bench: Bench, url: str, cursor: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        async with bench.db.reader() as reader:
            return any(one.url == url and one.cursor == cursor for one in await cursors.sources(reader))

    return look
