"""The export stream: all operations after a cursor, in order and once, then new ones."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from at_protocol.identity import plc_operation
from at_protocol.syntax.did import Did
from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Writer
from groundwork.http import server
from groundwork.http.server import HttpServer, serving
from groundwork.telemetry.metrics import Metrics
from plc_directory.app import create_app
from plc_directory.store import OperationLimits
from tests.databases import MakeDatabase
from tests.plc_directory.operations import genesis_operation
from tests.polling import until
from tests.timeouts import TIMEOUT_SECONDS
from tests.websocket_pings import assert_closed_without_pongs, assert_open_while_pings_are_answered

INSERT = """
    insert into operations (seq, did, cid, operation, created_at) values (:seq, :did, 'cid', :operation, :now)
"""


class Directory:
    """A directory and the DIDs that were registered in it."""

    def __init__(self, server: HttpServer, http: httpx.AsyncClient) -> None:
        self._server = server
        self._http = http

    async def register(self, *names: str) -> list[Did]:
        made = []
        for name in names:
            first = genesis_operation(f"{name}.test")
            made.append(plc_operation.did_of(first))
            answer = await self._http.post(f"/{made[-1]}", json=plc_operation.to_json(first))
            assert answer.status_code == 200
        return made

    async def lines(self, after: int) -> list[dict[str, Any]]:
        text = (await self._http.get("/export", params={"after": after})).text
        return [msgspec.json.decode(line) for line in text.split("\n")]

    def stream(self, query: str = "", **options: Any) -> connect:
        return connect(f"{self._server.url.replace('http', 'ws')}/export/stream{query}", **options)


@pytest.fixture
async def directory(make_database: MakeDatabase, clock: HandClock) -> AsyncIterator[Directory]:
    db = await make_database("plc_directory", clock=clock)
    app = create_app(db, OperationLimits(), Metrics("plc"), version="test", access_log=False)
    async with serving(app) as server, httpx.AsyncClient(base_url=server.url) as http:
        yield Directory(server, http)


async def take(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        return [msgspec.json.decode(await socket.recv()) for _ in range(count)]


async def farewell(socket: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(socket.recv(), 30)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_past_and_live_operations_join_without_a_gap(directory: Directory) -> None:
    """The stream has the same lines as the paged export, with no gap or repetition between past and live operations."""
    await directory.register("a", "b", "c")
    async with directory.stream("?cursor=1") as socket:
        old = await take(socket, 2)
        await directory.register("d")
        new = await take(socket, 1)
    assert old + new == await directory.lines(after=1)
    assert [line["seq"] for line in old + new] == [2, 3, 4]


async def test_stream_without_a_cursor_starts_with_new_operations(directory: Directory) -> None:
    """Without a cursor the stream starts with new operations. The test registers accounts until one arrives, because
    there is no signal that a subscription has begun.
    """
    await directory.register("old")
    made: list[Did] = []
    async with directory.stream() as socket:
        receiving = asyncio.create_task(take(socket, 1))
        while not receiving.done():
            made += await directory.register(f"new{len(made)}")
        (line,) = await receiving
    assert line["did"] in made


async def test_a_cursor_at_the_end_waits(directory: Directory) -> None:
    await directory.register("a")
    async with directory.stream("?cursor=1") as socket:
        made = await directory.register("b")
        assert [line["did"] for line in await take(socket, 1)] == made


async def test_future_cursor_is_refused(directory: Directory) -> None:
    await directory.register("a")
    async with directory.stream("?cursor=2") as socket:
        assert await farewell(socket) == (1008, "FutureCursor")


async def test_outdated_cursor_is_refused(directory: Directory, clock: HandClock) -> None:
    """A cursor is refused if the operations it missed are older than seven days; the age of the cursor itself does not
    matter.
    """
    await directory.register("a")
    clock.turn(7 * DAY)
    async with directory.stream("?cursor=0") as socket:
        assert [line["seq"] for line in await take(socket, 1)] == [1]
    clock.turn(1)
    async with directory.stream("?cursor=0") as socket:
        assert await farewell(socket) == (1008, "OutdatedCursor")
    made = await directory.register("b")
    async with directory.stream("?cursor=1") as socket:
        assert [line["did"] for line in await take(socket, 1)] == made


@pytest.mark.parametrize("cursor", ["", "-1", "abc", "1.0", str(2**63), "9" * 5000])
async def test_invalid_options_are_refused_before_the_upgrade(directory: Directory, cursor: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await directory.stream(f"?cursor={cursor}")
    assert refused.value.response.status_code == 400


async def test_subscriber_that_does_not_read_is_disconnected(make_database: MakeDatabase, clock: HandClock) -> None:
    """A subscriber that does not read is disconnected after the send timeout, once the socket buffers are full."""
    db = await make_database("plc_directory", clock=clock)
    large = msgspec.json.encode({"padding": "x" * 4_000_000}).decode()

    def write(w: Writer) -> None:
        for seq in range(1, 7):
            w.execute(INSERT, seq=seq, did=f"did:plc:{seq}", operation=large, now=w.now)
        w.execute("update sequence set last = 6")

    await db.write(write)
    app = create_app(db, OperationLimits(), Metrics("plc"), version="test", access_log=False, stream_send_seconds=0.01)
    stream = app.state.services.stream
    async with (
        serving(app) as server,
        connect(f"{server.url.replace('http', 'ws')}/export/stream?cursor=0", max_size=None, max_queue=1) as socket,
        asyncio.timeout(TIMEOUT_SECONDS),
    ):
        await until(lambda: not stream.subscribers)
        with pytest.raises(ConnectionClosed):
            await take(socket, 7)


async def test_silent_stream_is_pinged_and_a_dead_reader_disconnected(
    make_database: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PING_SECONDS", 0.01)
    db = await make_database("plc_directory", clock=clock)
    app = create_app(db, OperationLimits(), Metrics("plc"), version="test", access_log=False)
    async with serving(app) as running:
        await assert_open_while_pings_are_answered(f"{running.url}/export/stream")
    monkeypatch.setattr(server, "PONG_SECONDS", 0.01)
    async with serving(app) as running:
        await assert_closed_without_pongs(f"{running.url}/export/stream")
