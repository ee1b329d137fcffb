"""Jetstream as a source: this project's PDS's own stream, captured lines in every compression, and the limits of
unsigned data.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard
from aiohttp import web

from at_network.jetstream_stream import unpacker
from at_protocol.data import cbor
from groundwork.clock import DAY, HOUR, SECOND
from groundwork.errors import Refused, RemoteFailed
from openmeet.network.firehose import cursors
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.firehose.jetstream import MEMORY, follow_jetstream, read_line
from openmeet.network.firehose.tenant_interests import FOLLOWED_FOR, expire, load
from openmeet.network.records.collections import EVENT
from openmeet.network.records.message import Hint, HintKind, RecordMessage, decode
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.external_dependencies import fixture_path, needs
from tests.openmeet.deployment import Deployment
from tests.openmeet.firehose.conftest import Bench
from tests.openmeet.firehose.jetstream_server import (
    EVENT_TIME_US,
    JETSTREAM_AUTHOR,
    JetstreamServer,
    event_line,
    follow_jetstream_until,
    has_read_to,
    serve_jetstream,
)
from tests.timeouts import TIMEOUT_SECONDS

CAPTURED = "data/firehose/relay-2026-07-04-a.jetstream.jsonl"
WAYS = ("plain", "deflated", "zstd")


def captured() -> list[str]:
    return fixture_path(CAPTURED).read_text().splitlines()


async def messages_of(bench: Bench) -> list[RecordMessage | Hint]:
    found = []
    while deliveries := await bench.queue.lease(1000, 60):
        found += [decode(delivery.message.body) for delivery in deliveries]
        await bench.queue.ack(deliveries)
    return found


def dictionary_of(folder: Path) -> Path:
    """A dictionary as an operator would make it: raw lines with an identifier."""
    samples = [event_line(f"Event {number}", number).encode() for number in range(2000)]
    path = folder / "dictionary"
    path.write_bytes(zstandard.train_dictionary(4096, samples).as_bytes())
    return path


@needs("fixtures")
def test_captured_lines_match_their_cids():
    """84 lines of the public network are all accepted, and three operations of one commit keep their order."""
    lines = [read_line(line) for line in captured()]
    assert [line.refusal for line in lines if line is not None and line.refusal] == []
    kinds = [type(line.message).__name__ for line in lines if line is not None]
    assert (len(lines), kinds.count("RecordMessage"), kinds.count("Hint")) == (84, 82, 2)
    assert {line.message.is_verified for line in lines if line and isinstance(line.message, RecordMessage)} == {False}


@pytest.mark.parametrize("way", WAYS)
async def test_every_encoding_is_read(bench: Bench, way: str, tmp_path: Path):
    """The encodings are plain text, permessage-deflate without a dictionary, and zstd if the operator configured one."""
    bench.interested_in(("collection", EVENT))
    path = dictionary_of(tmp_path)
    known = zstandard.ZstdCompressionDict(path.read_bytes())
    unpack = unpacker(path) if way == "zstd" else None
    async with serve_jetstream(JetstreamServer([event_line("Tea", EVENT_TIME_US)], way, known)) as server:
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, EVENT_TIME_US), unpack=unpack)
    (message,) = await messages_of(bench)
    assert isinstance(message, RecordMessage)
    assert (message.did, message.is_verified) == (JETSTREAM_AUTHOR, False)
    assert cbor.decode(message.body or b"")["name"] == "Tea"
    assert server.was_deflated == [way == "deflated"]
    assert ("compress" in server.queries[0]) is (way == "zstd")


async def test_wrong_lines_are_kept_and_the_stream_goes_on(bench: Bench):
    """Wrong lines: a record that does not match its CID, a number with decimals, invalid JSON, an unknown kind, an
    unwanted collection.
    """
    bench.interested_in(("collection", EVENT))
    other = "bafyreigaknpexyvxt76zgkitavbwx6ejgfheup5oybpm77f3pxzrvwpfdi"
    lines = [
        event_line("Forged", EVENT_TIME_US, cid=other),
        event_line("Coordinates", EVENT_TIME_US).replace('"Coordinates"', "1.5"),
        "{",
        json.dumps({"did": JETSTREAM_AUTHOR, "time_us": 1, "kind": "sync", "sync": {}}),
        event_line("Elsewhere", EVENT_TIME_US).replace(
            f'"collection": "{EVENT}"', '"collection": "app.bsky.feed.post"'
        ),
        event_line("Tea", EVENT_TIME_US + 1),
    ]
    async with serve_jetstream(JetstreamServer(lines)) as server:
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, EVENT_TIME_US + 1))
    assert [type(message).__name__ for message in await messages_of(bench)] == ["RecordMessage"]
    async with bench.db.reader() as reader:
        assert len(await cursors.rejected(reader)) == 3


@pytest.mark.parametrize("number", [9 * 10**18, EVENT_TIME_US + 2 * HOUR])
async def test_a_cursor_in_the_future_is_not_stored(bench: Bench, number: int):
    """A cursor in the far future would be sent after every restart and hide every gap. The line is processed, but the
    cursor stays.
    """
    bench.interested_in(("collection", EVENT))
    odd = event_line("Walk", number).replace('"tea"', '"walk"')
    async with serve_jetstream(
        JetstreamServer(
            [
                event_line("Tea", EVENT_TIME_US),
                odd,
                event_line("Coffee", EVENT_TIME_US + 1).replace('"tea"', '"coffee"'),
            ]
        )
    ) as server:
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, EVENT_TIME_US + 1))
        await follow_jetstream_until(bench, server.url, lambda: _is_asked(server, 2))
    assert server.queries[1]["cursor"] == str(EVENT_TIME_US + 1 - 5 * SECOND)
    assert len(await messages_of(bench)) == 3


async def test_a_decompression_bomb_ends_the_connection(bench: Bench):
    """A hundred megabytes of zeros compress to a hundred kilobytes. The socket stops decompressing, and the source is
    reported as failing.
    """
    bench.interested_in(("collection", EVENT))
    async with serve_jetstream(JetstreamServer([" " * 100_000_000], way="deflated")) as server:
        await follow_jetstream_until(bench, server.url, _is_failing(bench, server.url))
    assert server.was_deflated[0]
    assert await messages_of(bench) == []


def _is_failing(bench: Bench, url: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        async with bench.db.reader() as reader:
            return any(one.url == url and one.state is SourceState.FAILING for one in await cursors.sources(reader))

    return look


async def test_resumes_a_little_before_its_cursor_and_repeats_nothing(bench: Bench):
    """A server that numbers by its clock is asked to repeat a few seconds. Each change still reaches the queue once."""
    bench.interested_in(("collection", EVENT))
    at = EVENT_TIME_US
    async with serve_jetstream(JetstreamServer([event_line("Tea", at)])) as server:
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, at))
        await follow_jetstream_until(bench, server.url, lambda: _is_asked(server, 2))
    assert server.queries[1]["cursor"] == str(at - 5 * SECOND)
    assert len(await messages_of(bench)) == 1


async def _is_asked(server: JetstreamServer, times: int) -> bool:
    return len(server.queries) == times


async def test_known_authors_are_followed_after_a_restart(bench: Bench):
    """Account lines are relevant if the installation has events of that account. This is stored in the database, so it
    survives a restart.
    """
    bench.interested_in(("collection", EVENT))
    at = EVENT_TIME_US
    async with serve_jetstream(JetstreamServer([event_line("Tea", at)])) as server:
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, at))
    async with bench.db.reader() as reader:
        again = await load(reader)
    assert JETSTREAM_AUTHOR in again.dids
    gone = {"did": JETSTREAM_AUTHOR, "time_us": at + 1, "kind": "account"}
    gone["account"] = {
        "active": False,
        "did": JETSTREAM_AUTHOR,
        "seq": 7,
        "time": "2026-07-04T00:00:00Z",
        "status": "deleted",
    }
    stranger = json.dumps(gone).replace("aaaa", "bbbb")
    async with serve_jetstream(JetstreamServer([stranger, json.dumps(gone)])) as server:
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, at + 1))
    hints = [message for message in await messages_of(bench) if isinstance(message, Hint)]
    assert [(hint.did, hint.status) for hint in hints] == [(JETSTREAM_AUTHOR, "deleted")]


async def test_an_author_who_writes_again_does_not_expire(bench: Bench, make_sqlite: MakeDatabase):
    """The record that was read a moment ago may still be in the queue, although the author was first seen long ago."""
    bench.interested_in(("collection", EVENT))
    async with serve_jetstream(JetstreamServer([event_line("Tea", EVENT_TIME_US)])) as server:
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, EVENT_TIME_US))
    bench.clock.turn(FOLLOWED_FOR + DAY)
    async with bench.db.reader() as reader:
        bench.consumer.interests.dids = (await load(reader)).dids
    async with serve_jetstream(JetstreamServer([event_line("Tea", EVENT_TIME_US + 1)])) as server:
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, EVENT_TIME_US + 1))
    assert await expire(bench.db, [await make_sqlite("openmeet", clock=bench.clock)], bench.consumer.interests) == 0
    bench.clock.turn(FOLLOWED_FOR + DAY)
    assert await expire(bench.db, [await make_sqlite("openmeet", clock=bench.clock)], bench.consumer.interests) == 1


async def test_an_absence_longer_than_the_retention_enqueues_reads(bench: Bench):
    """No line reports the gap, so every followed repository is read completely."""
    bench.interested_in(("collection", EVENT), ("did", JETSTREAM_AUTHOR))
    at = EVENT_TIME_US
    async with serve_jetstream(JetstreamServer([event_line("Tea", at)])) as server:
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, at))
        bench.clock.turn(MEMORY + HOUR)
        server.lines.append(event_line("Walk", at + 1).replace("3l3qo2vutsw2b", "3l3qo2vutsw3b"))
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, at + 1))
    hints = [message for message in await messages_of(bench) if isinstance(message, Hint)]
    assert [(hint.did, hint.kind) for hint in hints] == [(JETSTREAM_AUTHOR, HintKind.REPOSITORY)]


@dataclass
class _Restarts(JetstreamServer):
    """A server that closes its first connection. ``between`` is called before the second."""

    between: Callable[[], None] = lambda: None

    async def answer(self, request: web.Request) -> web.WebSocketResponse:
        if self.queries:
            self.between()
            return await super().answer(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.queries.append(dict(request.query))
        for line in self.lines:
            await socket.send_str(line)
        await socket.close()
        return socket


async def test_a_long_disconnection_enqueues_reads(bench: Bench):
    """The same happens when the process keeps running and only the connection was down, for a day and a half."""
    bench.interested_in(("collection", EVENT), ("did", JETSTREAM_AUTHOR))
    at = EVENT_TIME_US
    server = _Restarts([event_line("Tea", at)])

    def between() -> None:
        bench.clock.turn(MEMORY + HOUR)
        server.lines = [event_line("Walk", at + 1).replace("3l3qo2vutsw2b", "3l3qo2vutsw3b")]

    server.between = between
    async with serve_jetstream(server):
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, at + 1))
    hints = [message for message in await messages_of(bench) if isinstance(message, Hint)]
    assert [(hint.did, hint.kind) for hint in hints] == [(JETSTREAM_AUTHOR, HintKind.REPOSITORY)]


def test_a_huge_line_is_not_decompressed(tmp_path: Path):
    """A small frame that decompresses to far more than allowed is refused, and so are invalid zstd data and a missing
    dictionary.
    """
    path = dictionary_of(tmp_path)
    bomb = zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(path.read_bytes())).compress(bytes(10**8))
    assert len(bomb) < 10**5
    with pytest.raises(RemoteFailed, match="more than"):
        unpacker(path)(bomb)
    with pytest.raises(RemoteFailed):
        unpacker(path)(b"not zstd at all")
    with pytest.raises(Refused):
        unpacker(tmp_path / "absent")


async def test_our_own_pds_in_jetstreams_shape(deployment: Deployment):
    """An event, its RSVP, an edit and a deletion all arrive through the PDS's ``/subscribe`` alone."""
    cleo = await deployment.connected("cleo")
    app = await deployment.stranger("cleo")
    did = (await deployment.identity(cleo.user_id)).did
    record = {"$type": EVENT, "name": "Tea", "createdAt": "2026-03-01T00:00:00Z"}
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": record})
    await _listen(deployment, "select 1 from events where title = 'Tea' and record_uri = :uri", made["uri"])
    rkey = str(made["uri"]).rpartition("/")[2]
    wish = {"repo": did, "collection": EVENT, "rkey": rkey}
    await app.procedure("com.atproto.repo.putRecord", {**wish, "record": {**record, "name": "Coffee"}})
    await _listen(deployment, "select 1 from events where title = 'Coffee' and record_uri = :uri", made["uri"])
    await app.procedure("com.atproto.repo.deleteRecord", wish)
    await _listen(deployment, "select 1 from events where removed_at is not null and record_uri = :uri", made["uri"])


async def test_an_unsigned_deletion_of_a_signed_record_is_verified(deployment: Deployment):
    """An event came from the firehose. If a Jetstream server then claims that the event was deleted, the PDS is queried
    first.
    """
    cleo = await deployment.connected("cleo")
    app = await deployment.stranger("cleo")
    did = (await deployment.identity(cleo.user_id)).did
    record = {"$type": EVENT, "name": "Tea", "createdAt": "2026-03-01T00:00:00Z"}
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": record})
    await deployment.listen(cleo.user_id)
    wish = {"repo": did, "collection": EVENT, "rkey": str(made["uri"]).rpartition("/")[2]}
    await app.procedure("com.atproto.repo.putRecord", {**wish, "record": {**record, "name": "Coffee"}})
    await _listen(deployment, "select 1 from outbox_jobs where kind = 'prove_record' and subject = :uri", made["uri"])
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select title from events where record_uri = :uri", uri=made["uri"])
    assert row is not None
    assert row["title"] == "Tea", "the unsigned version was accepted"
    await deployment.deliver_jobs()
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select title from events where record_uri = :uri", uri=made["uri"])
        queued = await reader.fetch("select state from outbox_jobs where kind = :kind", kind=JobKind.PROVE_RECORD.value)
    assert row is not None
    assert (row["title"], [one["state"] for one in queued]) == ("Coffee", ["completed"])


async def _listen(deployment: Deployment, question: str, uri: object) -> None:
    """Follow ``/subscribe`` and ingest until the query returns a row."""
    deployment.consumer.interests.followed.clear()
    stop = asyncio.Event()
    async with deployment.consumer.db.transaction() as tx:
        await cursors.add_source(tx, deployment.pds_url + "/", cursor=0)
    following = asyncio.create_task(follow_jetstream(deployment.consumer, deployment.pds_url + "/", stop))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                await deployment.ingest()
                async with deployment.db.reader() as reader:
                    if await reader.fetch_one(question, uri=uri) is not None:
                        return
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await following


async def test_an_unreachable_source_is_failing(bench: Bench):
    """The source is shown as failing, with the reason, and is retried."""

    async def look() -> bool:
        async with bench.db.reader() as reader:
            found = await cursors.sources(reader)
        return bool(found) and found[0].state is SourceState.FAILING

    await follow_jetstream_until(bench, "http://127.0.0.1:1", look)


async def test_unresolvable_authors_delay_no_line(bench: Bench):
    """The author of a line is not resolved, so no line is delayed by authors whose server hangs."""
    lines = [
        event_line(f"Tea {number}", EVENT_TIME_US + number).replace(JETSTREAM_AUTHOR, _author(number))
        for number in range(200)
    ]
    bench.directory.hanging = {_author(number) for number in range(200)}
    bench.interested_in(("collection", EVENT))
    async with serve_jetstream(JetstreamServer(lines)) as server:
        await follow_jetstream_until(bench, server.url, has_read_to(bench, server.url, EVENT_TIME_US + 199))
    assert bench.directory.asked == {}
    assert (await bench.queue.depth()).waiting == 200


def _author(number: int) -> str:
    return f"did:plc:{'b' * 21}{''.join('abcdefghij'[int(digit)] for digit in f'{number:03}')}"
