"""Frames from a socket, and what happens when it ends."""

from contextlib import aclosing

import pytest
from aiohttp import WSCloseCode, web
from tests.at_network.peers import serve
from tests.external_dependencies import fixture_path, needs
from tests.simulation.relay import Relay
from tests.simulation.relay import read_frames as captured_frames

from at_network import event_stream
from at_network.event_stream import Backoff, failures_after, follow, read_frames, reconnect_delay, stream_url
from groundwork.clock import SECOND
from groundwork.errors import RemoteFailed, RemoteSlow


class StopTrying(Exception):
    """Raised by the sleep function to end an endless stream."""


PATH = "/xrpc/com.atproto.sync.subscribeRepos"


class Stream:
    """A WebSocket server; ``script`` runs on each connection."""

    def __init__(self) -> None:
        self.cursors: list[str | None] = []
        self.script = self.three
        self.closed_with: list[int | None] = []

    async def three(self, socket: web.WebSocketResponse) -> None:
        for frame in (b"a", b"b", b"c"):
            await socket.send_bytes(frame)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.cursors.append(request.query.get("cursor"))
        socket = web.WebSocketResponse(autoping=False, max_msg_size=0)
        await socket.prepare(request)
        await self.script(socket)
        await socket.close()
        self.closed_with.append(socket.close_code)
        return socket


@pytest.fixture
def stream():
    return Stream()


@pytest.fixture
async def service(stream):
    async with serve({f"GET {PATH}": stream}) as url:
        yield url


async def collect(http, service) -> list[bytes]:
    async with aclosing(read_frames(http, service.replace("http", "ws") + PATH)) as frames:
        return [frame async for frame in frames]


async def test_frames_in_order(http, service):
    assert await collect(http, service) == [b"a", b"b", b"c"]


async def test_text_message_is_not_a_frame(http, service, stream):
    async def script(socket):
        await socket.send_str("a")

    stream.script = script
    with pytest.raises(RemoteFailed, match="text"):
        await collect(http, service)


@pytest.mark.parametrize(("size", "fine"), [(5_000_001, True), (16_000_000, True), (16_000_001, False)])
async def test_frame_size_is_limited(http, service, stream, size, fine):
    async def script(socket):
        await socket.send_bytes(b"x" * size)

    stream.script = script
    if fine:
        assert [len(frame) for frame in await collect(http, service)] == [size]
    else:
        with pytest.raises(RemoteFailed, match="16000000"):
            await collect(http, service)


async def test_broken_connection_is_a_failure(http, service, stream):
    async def script(socket):
        await socket.send_bytes(b"a")
        socket._req.transport.abort()

    stream.script = script
    with pytest.raises(RemoteFailed, match="was interrupted"):
        await collect(http, service)


async def test_silent_peer_is_dropped(http, service, stream, monkeypatch):
    """If a ping is not answered, the connection counts as dead, even if TCP still reports it as open."""
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)

    async def script(socket):
        await socket.receive()  # the ping; it is never answered
        await socket.receive()

    stream.script = script
    with pytest.raises((RemoteSlow, RemoteFailed)):
        await collect(http, service)


async def test_status_instead_of_a_socket(http):
    async def refuse(_request):
        return web.json_response({"error": "InvalidRequest"}, status=400)

    async with serve({f"GET {PATH}": refuse}) as url:
        with pytest.raises(RemoteFailed) as failure:
            await collect(http, url)
    assert failure.value.status == 400


@needs("fixtures")
async def test_captured_frames_arrive_unchanged(http):
    """Frames captured from a relay arrive byte for byte, starting at a cursor."""
    path = next(iter(sorted(fixture_path("data/firehose").glob("*.frames.bin"))))
    frames = captured_frames(path)
    async with Relay(frames, range(1, len(frames) + 1)) as relay:
        url = stream_url(relay.url, event_stream.SUBSCRIBE_REPOS, {"cursor": 10})
        got = []
        async with aclosing(read_frames(http, url)) as arriving:
            async for frame in arriving:
                got.append(frame)
                if len(got) == len(frames) - 10:
                    break
        assert got == frames[10:]


# Following -------------------------------------------------------------------------------------------------------


async def follow_until(http, clock, service, count, position=lambda: None):
    """Read ``count`` frames over as many connections as needed; returns the frames and the reported disconnections."""
    lost, frames = [], []

    async def sleep(seconds):
        clock.turn(int(seconds * SECOND))

    following = follow(
        http,
        clock,
        service,
        position=position,
        on_lost=lambda failure, seconds: lost.append((failure, seconds)),
        sleep=sleep,
        chance=lambda: 1.0,
    )
    async with aclosing(following) as arriving:
        async for frame in arriving:
            frames.append(frame)
            if len(frames) == count:
                break
    return frames, lost


async def test_next_connection_starts_at_the_callers_cursor(http, clock, service, stream):
    """Each new connection starts at the cursor up to which the caller has stored everything."""
    positions = iter([None, 7, 9])
    frames, _ = await follow_until(http, clock, service, 7, lambda: next(positions))
    assert frames == [b"a", b"b", b"c", b"a", b"b", b"c", b"a"]
    assert stream.cursors == [None, "7", "9"]


async def test_delays_grow_while_connections_are_short(http, clock, service):
    _, lost = await follow_until(http, clock, service, 13)
    assert [seconds for _, seconds in lost] == [1.0, 2.0, 4.0, 8.0]
    assert [failure for failure, _ in lost] == [None] * 4


async def test_steady_connection_resets_the_delay(http, clock, service, stream):
    async def script(socket):
        await stream.three(socket)
        clock.turn(31 * SECOND)

    stream.script = script
    _, lost = await follow_until(http, clock, service, 10)
    assert [seconds for _, seconds in lost] == [1.0, 1.0, 1.0]


async def test_stopping_the_reader_closes_the_socket(http, clock, service, stream):
    """When the reader stops, the socket is closed, in bounded time even if the server does not answer."""

    async def script(socket):
        await stream.three(socket)
        await socket.receive()

    stream.script = script
    await follow_until(http, clock, service, 1)
    assert stream.closed_with in ([WSCloseCode.OK], [])


async def test_unavailable_server_is_tried_again(http, clock):
    lost = []

    async def sleep(seconds):
        lost.append(seconds)
        if len(lost) == 3:
            raise StopTrying

    following = follow(http, clock, "http://127.0.0.1:1", position=lambda: 1, sleep=sleep, chance=lambda: 0.0)
    with pytest.raises(StopTrying):
        await anext(following)
    assert lost == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("failures", "chance", "seconds"),
    [(1, 0.0, 0.5), (1, 1.0, 1.0), (2, 1.0, 2.0), (5, 0.5, 12.0), (8, 1.0, 120.0), (10_000, 1.0, 120.0)],
)
def test_delay_before_reconnecting_doubles(failures, chance, seconds):
    """The delay doubles up to two minutes, with jitter over its upper half."""
    assert reconnect_delay(failures, chance, Backoff()) == seconds


def test_count_starts_over_after_a_steady_connection():
    assert failures_after(5, 30.0, Backoff()) == 1
    assert failures_after(5, 29.9, Backoff()) == 6


@pytest.mark.parametrize(
    ("service", "url"),
    [
        ("https://relay.example.com", f"wss://relay.example.com{PATH}?cursor=5"),
        ("http://127.0.0.1:80/", f"ws://127.0.0.1:80{PATH}?cursor=5"),
        ("wss://relay.example.com", f"wss://relay.example.com{PATH}?cursor=5"),
    ],
)
def test_stream_url_has_the_cursor_as_query(service, url):
    assert stream_url(service, event_stream.SUBSCRIBE_REPOS, {"cursor": 5, "other": None}) == url
