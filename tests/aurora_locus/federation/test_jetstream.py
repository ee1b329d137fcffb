"""``/subscribe`` over sockets: the log as JSON, filtered and resumed, with an error for invalid options."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from at_protocol.sync import events
from aurora_locus.federation import jetstream, stream_slots
from aurora_locus.federation.jetstream import TakedownIndex
from aurora_locus.moderation.roles import ADMINISTRATION, AuditContext
from aurora_locus.moderation.subject_actions import SubjectStatusRequest, decide_account
from aurora_locus.sequencer import queries
from groundwork import threads
from groundwork.clock import HOUR, MINUTE
from groundwork.database.transaction import Database, Reader
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment, Person
from tests.aurora_locus.moderation.decisions import decide, record, take_down, write_note

NOTE, OTHER = "org.example.note", "org.example.other.note"


def subscribe(deployment: Deployment, **options: Any) -> connect:
    # With a limited queue, the client stops reading if the test does, and does not see the reply to its close frame.
    url = f"{deployment.url.replace('http', 'ws')}/subscribe?{urlencode(options, doseq=True)}"
    return connect(url, max_queue=None)


async def write(person: Person, *writes: tuple[str, str, str]) -> None:
    """Write records in one commit; each has an action, a collection and a key."""
    wishes = []
    for action, collection, rkey in writes:
        wish: dict[str, Any] = {
            "$type": f"com.atproto.repo.applyWrites#{action}",
            "collection": collection,
            "rkey": rkey,
        }
        wishes.append(wish if action == "delete" else {**wish, "value": {"text": rkey}})
    answer = await person.post("com.atproto.repo.applyWrites", {"repo": person.did, "writes": wishes})
    assert answer.status_code == 200, answer.text


async def take(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    return [json.loads(await socket.recv()) for _ in range(count)]


def said(event: dict[str, Any]) -> str:
    match event["kind"]:
        case "commit":
            return f"{event['commit']['operation']} {event['commit']['collection']}/{event['commit']['rkey']}"
        case kind:
            return str(kind)


async def test_every_operation_is_one_line(deployment: Deployment) -> None:
    """Every operation is one line, from the beginning and then live; deletions have neither record nor CID."""
    ana = await deployment.sign_up("ana")
    await write(ana, ("create", NOTE, "a"), ("create", NOTE, "b"))
    async with subscribe(deployment, cursor=0) as socket:
        old = await take(socket, 4)
        await write(ana, ("delete", NOTE, "a"))
        (new,) = await take(socket, 1)
    assert [said(event) for event in old] == ["identity", "account", f"create {NOTE}/a", f"create {NOTE}/b"]
    assert old[2]["commit"]["record"] == {"$type": NOTE, "text": "a"}
    assert {event["did"] for event in old} == {ana.did}
    assert new["commit"].keys() == {"rev", "operation", "collection", "rkey"}
    assert new["time_us"] <= deployment.clock.now()


async def test_a_large_commit_is_encoded_once_for_all_subscribers(deployment: Deployment) -> None:
    """Encoded for each of them, it would hold up the large bodies and records of everybody."""
    ana = await deployment.sign_up("ana")
    await write_note(ana, text="x" * 200_000)
    frame = (await queries.page(deployment.db, 0, 1000))[-1][1]
    assert len(frame) > 200_000
    assert [line.collection for line in jetstream.lines_in(frame)] == [NOTE]
    assert jetstream.lines_in(bytes(bytearray(frame))) is jetstream.lines_in(frame)


async def test_reading_large_records_is_limited_per_client(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread decodes the large records that anybody requests, so a client waits for its own. A request is refused if
    too much of its client is waiting; a stream, which has one record at a time, is not.
    """
    ana = await deployment.sign_up("ana")
    await write_note(ana, text="x" * 20_000)
    monkeypatch.setattr(threads, "CLIENT_BYTES", 10_000)
    async with subscribe(deployment, cursor=0) as socket:
        received = await take(socket, 3)
    assert len(received[2]["commit"]["record"]["text"]) == 20_000
    query = {"repo": ana.did, "collection": NOTE, "rkey": received[2]["commit"]["rkey"]}
    answer = await deployment.stranger.get("com.atproto.repo.getRecord", **query)
    assert (answer.status_code, answer.json()["error"]) == (429, "RateLimitExceeded")
    monkeypatch.setattr(threads, "CLIENT_BYTES", 30_000)
    assert (await deployment.stranger.get("com.atproto.repo.getRecord", **query)).status_code == 200


async def test_filters_by_collection_and_account_are_combined(deployment: Deployment) -> None:
    """Filters by collection, prefix and account can be combined. Account events are not filtered by collection."""
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    for person in (ana, ben):
        await write(person, ("create", NOTE, "a"), ("create", OTHER, "b"))
    await ben.post(f"{SERVER}.deactivateAccount", {})

    async def seen(count: int, **options: Any) -> list[str]:
        async with subscribe(deployment, cursor=0, **options) as socket:
            return [said(event) for event in await take(socket, count)]

    assert await seen(7, wantedCollections=[NOTE]) == [
        *("identity", "account") * 2,
        f"create {NOTE}/a",
        f"create {NOTE}/a",
        "account",
    ]
    anas = ["identity", "account", f"create {NOTE}/a", f"create {OTHER}/b"]
    assert await seen(4, wantedDids=[ana.did], wantedCollections=["org.example.*"]) == anas
    assert (await seen(4, wantedDids=[ben.did], wantedCollections=["org.example.other.*"]))[2] == f"create {OTHER}/b"


async def test_resuming_by_cursor_neither_skips_nor_repeats(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    for number in range(20):
        await write(ana, ("create", NOTE, f"k{number:02}"))
    keys: list[str] = []
    cursor = 0
    while len(keys) < 20:
        async with subscribe(deployment, cursor=cursor, wantedCollections=[NOTE]) as socket:
            for event in await take(socket, 5 if keys else 7):
                cursor = event["cursor"]
                if event["kind"] == "commit":
                    keys.append(event["commit"]["rkey"])
    assert keys == [f"k{number:02}" for number in range(20)]


async def test_resuming_by_time(deployment: Deployment) -> None:
    """A time cursor returns everything of that time or later. An old one returns everything, a future one only new
    events.
    """
    ana = await deployment.sign_up("ana")
    for number in range(10):
        deployment.clock.turn(MINUTE)
        await write(ana, ("create", NOTE, f"k{number}"))
    async with subscribe(deployment, cursor=deployment.clock.now() - 3 * MINUTE) as socket:
        assert [said(event)[-2:] for event in await take(socket, 4)] == ["k6", "k7", "k8", "k9"]
    async with subscribe(deployment, cursor=deployment.clock.now() - 1000 * HOUR) as socket:
        assert len(await take(socket, 12)) == 12
    for future in (deployment.clock.now() + HOUR, 10**14):
        async with subscribe(deployment, cursor=future, requireHello="true") as socket:
            await socket.send(json.dumps({"type": "options_update", "payload": {}}))
            assert f"later{future}" in said(await next_of(socket, ana, f"later{future}"))


async def next_of(socket: ClientConnection, person: Person, name: str) -> dict[str, Any]:
    """The next event for notes written now. Nothing shows when the server has read its options, so notes are written
    until one arrives.
    """
    for number in range(60):
        await write(person, ("create", NOTE, f"{name}-{number}"))
        try:
            async with asyncio.timeout(1):
                return (await take(socket, 1))[0]
        except TimeoutError:
            continue
    raise AssertionError(f"nothing was said of {name}")


async def test_options_change_while_reading(deployment: Deployment) -> None:
    """The options can change while reading. ``requireHello`` holds everything back until the reader has sent its
    options.
    """
    ana = await deployment.sign_up("ana")
    await write(ana, ("create", NOTE, "a"), ("create", OTHER, "b"))
    async with subscribe(deployment, cursor=0, requireHello="true") as socket:
        await socket.send(json.dumps({"type": "something"}))
        update = {"wantedCollections": [OTHER], "wantedDids": [], "maxMessageSizeBytes": 0}
        await socket.send(json.dumps({"type": "options_update", "payload": update}))
        assert [said(event) for event in await take(socket, 3)] == ["identity", "account", f"create {OTHER}/b"]


@pytest.mark.parametrize(
    "message",
    ["nonsense", "[]", '{"type":"options_update"}', '{"type":"options_update","payload":{"wantedDids":["x"]}}'],
)
async def test_invalid_options_message_ends_the_connection(deployment: Deployment, message: str) -> None:
    async with subscribe(deployment) as socket:
        await socket.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


@pytest.mark.parametrize(
    "options",
    [
        {"wantedCollections": "nonsense"},
        {"wantedCollections": "*"},
        {"wantedCollections": [f"org.example.n{number}" for number in range(101)]},
        {"wantedDids": "ana.test"},
        {"cursor": "abc"},
        {"cursor": "-1"},
        {"cursor": "9" * 30},
        {"compress": "true"},
    ],
)
async def test_invalid_options_are_refused_before_the_upgrade(deployment: Deployment, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with subscribe(deployment, **options):
            pass
    assert refused.value.response.status_code == 400


@pytest.mark.parametrize("size", ["", "-1", "abc", "0"])
async def test_invalid_size_is_ignored(deployment: Deployment, size: str) -> None:
    await deployment.sign_up("ana")
    async with subscribe(deployment, cursor=0, maxMessageSizeBytes=size) as socket:
        assert len(await take(socket, 2)) == 2


async def test_large_messages_are_omitted_on_request(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await write(ana, ("create", NOTE, "a"))
    await ana.post(f"{SERVER}.deactivateAccount", {})
    async with subscribe(deployment, cursor=0, maxMessageSizeBytes=250) as socket:
        assert [said(event) for event in await take(socket, 3)] == ["identity", "account", "account"]


async def test_jetstream_is_off_if_the_firehose_is_off(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment(dev_mode=False, public_url="https://localhost", federation_enabled=False)
    with pytest.raises(InvalidStatus) as refused:
        async with subscribe(deployment):
            pass
    assert refused.value.response.status_code == 501


async def test_streams_of_one_address_are_counted_together(
    make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams of both kinds count together per address, because each can have the whole log read."""
    monkeypatch.setattr(stream_slots, "STREAMS_OF_AN_ADDRESS", 2)
    deployment = await make_deployment(rate_limits_enabled=True)
    firehose = f"{deployment.url.replace('http', 'ws')}/xrpc/com.atproto.sync.subscribeRepos"
    async with subscribe(deployment), connect(firehose):
        for refused in (subscribe(deployment), connect(firehose)):
            with pytest.raises(InvalidStatus) as answer:
                async with refused:
                    pass
            assert answer.value.response.status_code == 429


async def test_records_that_were_taken_down_are_left_out(deployment: Deployment) -> None:
    """Records that were taken down, alone or with their account, are left out; deletions and other records are sent.
    Once the takedown is lifted, they are sent again. The signed stream contains them all, because its signatures cover
    them.
    """
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    hidden = await write_note(ana)
    await write(ana, ("create", OTHER, "a"))
    await write(ben, ("create", OTHER, "b"))
    await decide(deployment, record(hidden), takedown=True)
    await take_down(deployment, ben)

    async def everything_said() -> list[str]:
        deployment.clock.turn(MINUTE)
        await write(ana, ("create", NOTE, "last"))
        await write(ana, ("delete", NOTE, "last"))
        found: list[str] = []
        async with subscribe(deployment, cursor=0, wantedCollections=[NOTE, OTHER]) as socket:
            while f"delete {NOTE}/last" not in found:
                found.append(said((await take(socket, 1))[0]))
        return [one for one in found if one.startswith("create") and not one.endswith("/last")]

    assert await everything_said() == [f"create {OTHER}/a"]
    frames = [frame for _, frame in await queries.page(deployment.db, 0, 1000)]
    assert any(hidden["cid"] == str(operation.cid) for frame in frames for operation in operations(frame))
    await decide(deployment, record(hidden), takedown=False)
    assert await everything_said() == [f"create {NOTE}/{hidden['uri'].rpartition('/')[2]}", f"create {OTHER}/a"]


class CountedReads:
    """A database that counts how often it is opened for reading."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.count = 0

    def reader(self) -> AbstractAsyncContextManager[Reader]:
        self.count += 1
        return self._db.reader()


async def test_subscribers_share_one_read_of_what_is_hidden(deployment: Deployment) -> None:
    """Hundreds of subscribers get an event in the same moment, and each needs the takedowns."""
    counted = CountedReads(deployment.db)
    index = TakedownIndex(cast("Database", counted), deployment.clock)
    await asyncio.gather(*(index.refresh() for _ in range(100)))
    assert counted.count == 1
    deployment.clock.turn(MINUTE)
    await asyncio.gather(*(index.refresh() for _ in range(100)))
    assert counted.count == 2


async def test_records_of_a_suspended_account_are_left_out(deployment: Deployment) -> None:
    """A suspension hides an account like a takedown, also from readers that replay the log."""
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    await write(ana, ("create", NOTE, "a"))
    suspension = SubjectStatusRequest(suspended=True)
    await decide_account(deployment.pds.registry, AuditContext(ADMINISTRATION), ana.did, suspension)
    deployment.clock.turn(MINUTE)
    await write(ben, ("create", NOTE, "b"))
    async with subscribe(deployment, cursor=0, wantedCollections=[NOTE]) as socket:
        lines: list[str] = []
        while f"create {NOTE}/b" not in lines:
            lines.append(said((await take(socket, 1))[0]))
    assert f"create {NOTE}/a" not in lines


def operations(frame: bytes) -> list[Any]:
    message = events.read(frame)
    return list(message.operations) if isinstance(message, events.CommitMessage) else []
