"""com.atproto.sync over real sockets: the data for somebody who mirrors the host."""

import asyncio
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.commit import parse_commit, verify_commit
from at_protocol.repo.mst import Tree
from at_protocol.repo.proof import verify_record_proof
from at_protocol.sync import events, frames
from aurora_locus.federation import stream_slots
from aurora_locus.federation.stream_slots import StreamSlots
from aurora_locus.repository import export, hosting
from aurora_locus.repository.model import HostingStatus
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PdsSettings
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.http.server import serving
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository
from tests.aurora_locus.xrpc.conftest import Client, application, open_host
from tests.aurora_locus.xrpc.refusals import refusal_of
from tests.timeouts import TIMEOUT_SECONDS

SYNC = "com.atproto.sync"
STREAM = "/xrpc/com.atproto.sync.subscribeRepos"


def contents(person: HostedRepository, data: bytes) -> dict[str, Cid]:
    """The records of a CAR file, fully verified."""
    file = car.read(data)
    commit = parse_commit(file.blocks[file.root], file.root)
    verify_commit(commit, did=person.did, key=person.key.public)
    entries = dict(Tree(commit.data, file.blocks.get).entries())
    assert all(cid in file.blocks for cid in entries.values())
    return entries


async def set_status(person: HostedRepository, status: HostingStatus) -> None:
    await person.repositories.db.write(lambda w: hosting.set_status(w, person.repositories, person.did, status))


async def test_whole_repository_is_returned(stranger: Client, ada: HostedRepository):
    for start in range(0, 700, 100):
        await ada.write(*(ada.prepare(f"k{number}", {"n": number}) for number in range(start, start + 100)))
    answer = await stranger.get(f"{SYNC}.getRepo", did=ada.did)
    assert answer.headers["content-type"] == "application/vnd.ipld.car"
    assert len(contents(ada, answer.content)) == 700
    assert (await stranger.get(f"{SYNC}.getCheckout", did=ada.did)).content == answer.content


@pytest.mark.parametrize("first_bytes", [0, 20_000])
async def test_repository_larger_than_the_first_read(
    stranger: Client, ada: HostedRepository, first_bytes: int, monkeypatch: pytest.MonkeyPatch
):
    """A repository larger than the first read is completed with further look-ups; the file is the same."""
    for start in range(0, 700, 100):
        await ada.write(*(ada.prepare(f"k{number}", {"n": number}) for number in range(start, start + 100)))
    whole = await stranger.get(f"{SYNC}.getRepo", did=ada.did)
    monkeypatch.setattr(export, "_FIRST_BYTES", first_bytes)
    monkeypatch.setattr(export, "_FIRST_PAGE", 100)
    assert (await stranger.get(f"{SYNC}.getRepo", did=ada.did)).content == whole.content


async def test_empty_repository(stranger: Client, ada: HostedRepository):
    assert contents(ada, (await stranger.get(f"{SYNC}.getRepo", did=ada.did)).content) == {}


async def test_export_comes_in_an_order_that_can_be_checked_as_it_arrives(stranger: Client, ada: HostedRepository):
    await ada.write(*(ada.prepare(f"k{number}", {"n": number}) for number in range(100)))
    reader = car.CarReader()
    blocks = reader.feed((await stranger.get(f"{SYNC}.getRepo", did=ada.did)).content)
    commit = parse_commit(blocks[0][1], blocks[0][0])
    assert [cid for cid, _ in blocks[1:]] == [
        item[1] if isinstance(item, tuple) else item.cid for item in Tree(commit.data, dict(blocks).get).walk()
    ]


async def test_diff_since_a_rev_completes_the_earlier_state(stranger: Client, ada: HostedRepository, clock: HandClock):
    """The diff since a rev, added to the earlier state, gives the whole repository. A block that was deleted and
    written again counts as new.
    """
    await ada.create("kept", "kept")
    await ada.create("again", "again")
    old = car.read((await stranger.get(f"{SYNC}.getRepo", did=ada.did)).content)
    await ada.delete("again")
    rev = (await ada.repositories.head(ada.did)).rev
    written = await ada.create("again", "again")
    newer = car.read((await stranger.get(f"{SYNC}.getRepo", did=ada.did, since=rev)).content)
    assert newer.root == (await ada.repositories.head(ada.did)).commit
    assert written.cid in newer.blocks
    tree = Tree(parse_commit(newer.blocks[newer.root]).data, {**old.blocks, **newer.blocks}.get)
    assert len(dict(tree.entries())) == 2
    assert len(newer.blocks) < len(old.blocks) + 3


async def test_diff_without_changes_contains_only_the_commit(stranger: Client, ada: HostedRepository):
    await ada.create("a")
    rev = (await ada.repositories.head(ada.did)).rev
    file = car.read((await stranger.get(f"{SYNC}.getRepo", did=ada.did, since=rev)).content)
    assert set(file.blocks) == {file.root}


async def test_export_during_writes_is_complete(stranger: Client, ada: HostedRepository):
    """An export during writes has one root, and leaves nothing in the store afterwards."""
    for start in range(0, 400, 100):
        await ada.write(*(ada.prepare(f"k{number:03}", {"n": number}) for number in range(start, start + 100)))

    async def writing() -> None:
        for number in range(0, 400, 4):
            await ada.delete(f"k{number:03}")
            await ada.put(f"k{number + 1:03}", "changed")

    task = asyncio.create_task(writing())
    exports = 0
    while not task.done():
        answer = await stranger.get(f"{SYNC}.getRepo", did=ada.did)
        assert 300 <= len(contents(ada, answer.content)) <= 400
        exports += 1
    await task
    assert exports
    assert len(contents(ada, (await stranger.get(f"{SYNC}.getRepo", did=ada.did)).content)) == 300
    async with ada.repositories.db.reader() as r:
        (left,) = await r.fetch("select count(*) from blocks where uses = 0")
        (stored,) = await r.fetch("select count(*) from blocks where did = :did", did=ada.did)
    final = car.read((await stranger.get(f"{SYNC}.getRepo", did=ada.did)).content)
    assert (left[0], stored[0]) == (0, len(final.blocks))


async def test_record_and_its_absence_are_proven(stranger: Client, ada: HostedRepository):
    await ada.write(*(ada.prepare(f"k{number:02}", {"n": number}) for number in range(1, 50)))
    for rkey in ("k25", "k00", "k255", "zz", "0"):
        proof = (await stranger.get(f"{SYNC}.getRecord", did=ada.did, collection=NOTE, rkey=rkey)).content
        proven = verify_record_proof(proof, did=ada.did, key=ada.key.public, path=f"{NOTE}/{rkey}")
        assert (proven.cid is not None) is (rkey == "k25")


async def test_single_blocks_are_returned(stranger: Client, ada: HostedRepository):
    one = (await ada.create("one", "1")).cid
    head = await ada.repositories.head(ada.did)
    wanted = [str(head.commit), str(one)]
    file = car.read((await stranger.get(f"{SYNC}.getBlocks", did=ada.did, cids=wanted)).content)
    assert file.roots == ()
    assert [str(cid) for cid in file.blocks] == wanted
    absent = str(Cid.for_cbor(b"x"))
    assert absent in refusal_of(await stranger.get(f"{SYNC}.getBlocks", did=ada.did, cids=[absent]), "BlockNotFound")
    refusal_of(await stranger.get(f"{SYNC}.getBlocks", did=ada.did, cids=["nonsense"]), "InvalidRequest")


async def test_status_of_a_repository(stranger: Client, ada: HostedRepository):
    head = await ada.repositories.head(ada.did)
    answer = await stranger.get(f"{SYNC}.getRepoStatus", did=ada.did)
    assert answer.json() == {"did": ada.did, "active": True, "rev": head.rev}
    assert (await stranger.get(f"{SYNC}.getHead", did=ada.did)).json() == {"root": str(head.commit)}
    refusal_of(await stranger.get(f"{SYNC}.getRepoStatus", did="did:plc:" + "a" * 24), "RepoNotFound")
    refusal_of(await stranger.get(f"{SYNC}.getHead", did="did:plc:" + "a" * 24), "RepoNotFound")


READS: list[tuple[str, dict[str, Any]]] = [
    (f"{SYNC}.getRepo", {}),
    (f"{SYNC}.getRecord", {"collection": NOTE, "rkey": "a"}),
    (f"{SYNC}.getLatestCommit", {}),
    (f"{SYNC}.listBlobs", {}),
    (f"{SYNC}.getBlob", {"cid": str(Cid.for_raw(b"x"))}),
    (f"{SYNC}.getBlocks", {"cids": str(Cid.for_cbor(b"x"))}),
]


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (HostingStatus.DEACTIVATED, "RepoDeactivated"),
        (HostingStatus.SUSPENDED, "RepoSuspended"),
        (HostingStatus.TAKENDOWN, "RepoTakendown"),
    ],
)
async def test_inactive_repository_is_hidden(
    stranger: Client, as_admin: Client, ada: HostedRepository, status: HostingStatus, name: str
):
    await ada.create("a")
    await set_status(ada, status)
    for method, more in READS:
        refusal_of(await stranger.get(method, did=ada.did, **more), name)
    refusal_of(await stranger.get("com.atproto.repo.getRecord", repo=ada.did, collection=NOTE, rkey="a"), name)
    refusal_of(await stranger.get("com.atproto.repo.listRecords", repo=ada.did, collection=NOTE), name)
    told = (await stranger.get(f"{SYNC}.getRepoStatus", did=ada.did)).json()
    assert told == {"did": ada.did, "active": False, "status": status.value}
    listed = (await stranger.get(f"{SYNC}.listRepos")).json()["repos"]
    assert {repo["did"]: repo.get("status") for repo in listed}[ada.did] == status.value
    assert (await as_admin.get(f"{SYNC}.getRepo", did=ada.did)).status_code == 200


async def test_owner_exports_while_deactivated(as_ada: Client, ada: HostedRepository):
    await ada.create("a")
    await set_status(ada, HostingStatus.DEACTIVATED)
    assert len(contents(ada, (await as_ada.get(f"{SYNC}.getRepo", did=ada.did)).content)) == 1


async def test_unknown_repository(stranger: Client, ada: HostedRepository):
    for method, more in READS:
        refusal_of(await stranger.get(method, did="did:plc:" + "a" * 24, **more), "RepoNotFound")


async def test_every_repository_is_listed_once(stranger: Client, ada: HostedRepository, ben: HostedRepository):
    people = {ada.did, ben.did} | {
        (await HostedRepository.make(ada.repositories, f"p{number}")).did for number in range(5)
    }
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await stranger.get(f"{SYNC}.listRepos", limit=3, **cursor)).json()
        seen += [repo["did"] for repo in page["repos"]]
        if "cursor" not in page:
            break
        cursor = {"cursor": page["cursor"]}
    assert sorted(seen) == sorted(people)
    refusal_of(await stranger.get(f"{SYNC}.listRepos", cursor="nonsense"), "InvalidRequest")
    head = await ada.repositories.head(ada.did)
    listed = {repo["did"]: repo for repo in (await stranger.get(f"{SYNC}.listRepos")).json()["repos"]}
    assert listed[ada.did] == {"did": head.did, "head": str(head.commit), "rev": head.rev, "active": True}


async def test_repositories_by_collection(stranger: Client, ada: HostedRepository, ben: HostedRepository):
    for number in range(3):
        await ada.create(f"r{number}")
        await ben.create(f"r{number}")
    method = f"{SYNC}.listReposByCollection"
    first = (await stranger.get(method, collection=NOTE, limit=1)).json()
    second = (await stranger.get(method, collection=NOTE, limit=1, cursor=first["cursor"])).json()
    assert [repo["did"] for repo in first["repos"] + second["repos"]] == sorted([ada.did, ben.did])
    assert (await stranger.get(method, collection="org.example.none")).json() == {"repos": []}
    for number in range(3):
        await ben.delete(f"r{number}")
    assert (await stranger.get(method, collection=NOTE)).json() == {"repos": [{"did": ada.did}]}
    await set_status(ada, HostingStatus.DEACTIVATED)
    assert (await stranger.get(method, collection=NOTE)).json() == {"repos": []}


# The stream


def address(served: str, query: str = "") -> str:
    return served.replace("http://", "ws://") + STREAM + query


async def test_stream_sends_the_stored_bytes(served: str, ada: HostedRepository):
    async with connect(address(served, "?cursor=0")) as socket:
        for kind in ("#identity", "#account", "#commit", "#sync"):
            frame = frames.decode(await socket.recv(decode=False))
            assert isinstance(frame, frames.Frame)
            while isinstance(frame, frames.Frame) and frame.payload.get("did", frame.payload.get("repo")) != ada.did:
                frame = frames.decode(await socket.recv(decode=False))
            assert isinstance(frame, frames.Frame)
            assert frame.kind == kind
        written = await ada.create("live")
        message = events.read(await socket.recv(decode=False))
        while not (isinstance(message, events.CommitMessage) and message.operations):
            message = events.read(await socket.recv(decode=False))
        assert message.operations[0].cid == written.cid


@pytest.mark.parametrize(
    ("cursor", "error"),
    [("999999", "FutureCursor"), ("abc", "InvalidRequest")],
)
async def test_stream_refuses_a_bad_cursor(served: str, cursor: str, error: str):
    """A bad cursor gets an error frame, and then a close that names it."""
    async with connect(address(served, f"?cursor={cursor}")) as socket:
        frame = frames.decode(await socket.recv(decode=False))
        assert isinstance(frame, frames.ErrorFrame)
        assert frame.error == error
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, error)


async def test_stream_begins_at_its_start_for_a_negative_cursor(served: str, ada: HostedRepository):
    """A negative cursor starts at the beginning of the stream, as at the reference."""
    async with connect(address(served, "?cursor=-1")) as below, connect(address(served, "?cursor=0")) as zero:
        assert await below.recv(decode=False) == await zero.recv(decode=False)


async def test_stream_ignores_what_the_client_sends(served: str, ada: HostedRepository):
    async with connect(address(served)) as socket:
        for number in range(5):
            await socket.send(f"hello {number}")
            await socket.send(b"\x00" * 100)
        await ada.create("live")
        assert isinstance(events.read(await socket.recv(decode=False)), events.CommitMessage)


async def test_stream_over_plain_http(http: httpx.AsyncClient):
    assert (await http.get(STREAM)).status_code == 426
    assert (await http.post(STREAM)).status_code == 405


async def test_unknown_stream_is_not_implemented(served: str):
    with pytest.raises(InvalidStatus) as refusal:
        async with connect(served.replace("http://", "ws://") + "/xrpc/com.example.stream"):
            pass
    assert refusal.value.response.status_code == 501


async def test_disconnected_subscribers_are_removed(served: str, ada: HostedRepository):
    async with connect(address(served)), asyncio.timeout(TIMEOUT_SECONDS):
        while not ada.repositories.live.listeners:  # noqa: ASYNC110 -- it is one a moment after the handshake
            await asyncio.sleep(0)
        await ada.create("a")
        assert len(ada.repositories.live.listeners) == 1
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while ada.repositories.live.listeners:  # noqa: ASYNC110 -- the server notices in its own time
            await asyncio.sleep(0)


async def test_subscriber_that_stops_reading_is_disconnected_with_a_reason(
    db: Database, clock: HandClock, tmp_path: Path
):
    """A subscriber that stops reading is disconnected with a reason, over a real socket. Memory stays that of the ring,
    others get everything, and the slow one can reconnect.
    """
    repositories = await assemble(db, clock, tmp_path, ring_frames=16)
    ada = await HostedRepository.make(repositories, "ada")
    host = open_host(repositories, clock, {ada.did: ada})
    async with serving(application(host)) as server, connect(address(server.url)) as quick:
        # A client library that buffers one frame, on a socket with a small buffer.
        slow = await connect(address(server.url), max_queue=1)
        slow.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        before = repositories.live.buffer.head
        for number in range(60):
            await ada.create(f"r{number}", "x" * 300_000)
            message = events.read(await quick.recv(decode=False))
            assert isinstance(message, events.CommitMessage)
            assert message.seq == before + number + 1
        assert sum(map(len, repositories.live.buffer._frames)) < 16 * 310_000
        seen = []
        while True:
            read = events.read(await slow.recv(decode=False))
            if isinstance(read, frames.ErrorFrame):
                break
            assert isinstance(read, events.CommitMessage)
            seen.append(read.seq)
        assert read.error == "ConsumerTooSlow"
        assert seen == list(range(before + 1, before + 1 + len(seen)))
        assert len(seen) < 60
        with pytest.raises(ConnectionClosed):
            await slow.recv()
        async with connect(address(server.url, f"?cursor={seen[-1]}"), close_timeout=0) as again:
            message = events.read(await again.recv(decode=False))
            assert isinstance(message, events.CommitMessage)
            assert message.seq == seen[-1] + 1


async def test_streams_per_address_are_limited(
    repositories: Repositories, clock: HandClock, ada: HostedRepository, monkeypatch: pytest.MonkeyPatch
):
    """One address can open only a few streams, because each may read the whole log."""
    monkeypatch.setattr(stream_slots, "STREAMS_OF_AN_ADDRESS", 2)
    in_development = open_host(repositories, clock, {ada.did: ada})
    settings = PdsSettings(federation_enabled=True, federation_firehose_enabled=True)
    host = replace(in_development, settings=settings, streams=StreamSlots(is_limited=True))
    async with serving(application(host)) as server, connect(address(server.url)):
        async with connect(address(server.url)):
            with pytest.raises(InvalidStatus) as refusal:
                async with connect(address(server.url)):
                    pass
            assert refusal.value.response.status_code == 429
            assert refusal.value.response.headers["retry-after"] == "60"
        # The server notices only after a while that the second connection is gone.
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not await is_let_in(server.url):
                pass


async def is_let_in(url: str) -> bool:
    try:
        async with connect(address(url)):
            return True
    except InvalidStatus:
        return False
