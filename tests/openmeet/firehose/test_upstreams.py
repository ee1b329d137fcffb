"""A PDS can send messages only about its own accounts, a relay about all. Each kind of source has its own start
position.
"""

import asyncio

import pytest

from at_protocol.failures import Malformed
from at_protocol.sync.frames import summarize
from groundwork.clock import MINUTE
from openmeet.i18n.reasons.messages import explain
from openmeet.network.firehose import cursors
from openmeet.network.firehose.consumer import run
from openmeet.network.firehose.upstreams import Upstream, authority, upstreams
from tests.external_dependencies import needs
from tests.openmeet.firehose.conftest import Bench, captured_documents, captured_frames, sequences
from tests.simulation.relay import Relay
from tests.timeouts import TIMEOUT_SECONDS


def test_a_pds_is_read_from_the_beginning_and_a_relay_from_now():
    assert list(upstreams(["wss://pds.example"], ["wss://relay.example"], relays_from_the_start=False)) == [
        Upstream("wss://pds.example", "pds.example:443", first_cursor=0),
        Upstream("wss://relay.example", None, first_cursor=None),
    ]


def test_a_relays_history_is_read_on_request():
    (relay,) = upstreams([], ["wss://relay.example"], relays_from_the_start=True)
    assert relay.first_cursor == 0


def test_a_pds_behind_a_proxy_has_its_public_name():
    (pds,) = upstreams(["ws://127.0.0.1:3001=http://localhost:3000"], [], relays_from_the_start=False)
    assert (pds.url, pds.sender) == ("ws://127.0.0.1:3001", "localhost:3000")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("wss://PDS.example", "https://pds.example/"),
        ("https://pds.example:443", "https://pds.example"),
        ("ws://localhost:3000", "http://localhost:3000"),
        ("http://pds.example", "http://pds.example:80"),
        ("https://pds.example.", "https://pds.example"),
    ],
)
def test_spellings_of_one_host_are_one_host(one: str, other: str):
    assert authority(one) == authority(other)


@pytest.mark.parametrize("text", ["pds.example", "ftp://pds.example", "https://", "https://a:b", "https://a/b", ""])
def test_invalid_urls_are_refused(text: str):
    with pytest.raises(Malformed):
        authority(text)


async def follow(bench: Bench, upstream: Upstream, last: int) -> None:
    stop = asyncio.Event()
    following = asyncio.create_task(run(bench.consumer, [upstream], stop))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                async with bench.db.reader() as reader:
                    sources = await cursors.sources(reader)
                if sources and sources[0].cursor == last:
                    return
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await following


@needs("fixtures")
async def test_commits_from_another_host_are_refused_and_kept(bench: Bench):
    """The stream continues. Commits of the host's own accounts are accepted. Other commits are counted and can be
    inspected.
    """
    frames = captured_frames()
    hosts = {did: doc["service"][0]["serviceEndpoint"] for did, doc in captured_documents().items()}
    commits = [frame for frame in frames if summarize(frame).kind == "#commit"]
    own = hosts[summarize(commits[0]).did]
    theirs = sorted({summarize(frame).did for frame in commits if hosts[summarize(frame).did] != own})
    bench.interested_in(*(("did", did) for did in captured_documents()))
    numbers = sequences(frames)
    async with Relay(frames, numbers) as relay:
        await follow(bench, Upstream(relay.url, authority(own), first_cursor=0), numbers[-1])
    async with bench.db.reader() as reader:
        kept = await cursors.rejected(reader, limit=1000)
        verified = {row["did"] for row in await reader.fetch("select did from verified_repositories")}
    assert sorted({one.did for one in kept}) == theirs
    assert all(f"isn’t on {authority(own)}" in explain(one.reason) for one in kept)
    assert {one.frame for one in kept} <= set(frames)
    assert verified == {summarize(frame).did for frame in commits} - set(theirs)


@needs("fixtures")
async def test_an_account_that_has_just_moved_is_accepted(bench: Bench):
    """The DID document is refreshed once before the sender is rejected."""
    commit = next(frame for frame in captured_frames() if summarize(frame).kind == "#commit")
    did = summarize(commit).did
    document = captured_documents()[did]
    now_on = document["service"][0]["serviceEndpoint"]
    before = [{**document["service"][0], "serviceEndpoint": "https://old.example"}]
    bench.directory.documents = {did: {**document, "service": before}}
    await bench.consumer.verifier.dids.resolve(did)
    bench.directory.documents = captured_documents()
    bench.clock.turn(MINUTE)  # an identity is not refreshed again within half a minute
    bench.interested_in(("did", did))
    seq = summarize(commit).seq
    async with Relay([commit], [seq]) as relay:
        await follow(bench, Upstream(relay.url, authority(now_on), first_cursor=0), seq)
    async with bench.db.reader() as reader:
        assert await cursors.rejected(reader) == []


@needs("fixtures")
async def test_a_new_relay_is_read_from_now(bench: Bench):
    """The first connection has no cursor, and the first frame received sets the stored one."""
    commit = next(frame for frame in captured_frames() if summarize(frame).kind == "#commit")
    async with Relay([commit], [summarize(commit).seq]) as relay:
        await follow(bench, Upstream(relay.url, None, first_cursor=None), summarize(commit).seq)
    assert relay.cursors == [None]
