"""Authors whose identity cannot be resolved: their frames are dropped and read later, and no other author waits."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from at_protocol.sync import events
from at_protocol.sync.events import CommitMessage
from at_protocol.sync.frames import summarize
from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE
from groundwork.errors import FailureReason
from openmeet.network.firehose import cursors, delivery, identity_lookups, unresolved
from openmeet.network.firehose.consumer import follow_source
from openmeet.network.firehose.unresolved import FIRST_RETRY, RetryContext, UnresolvedAuthors, retry_due
from openmeet.network.records.message import Hint, HintKind, decode
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.openmeet.firehose.conftest import Bench, captured_documents, captured_frames, sequences
from tests.openmeet.firehose.single_path_server import answering
from tests.simulation.relay import Relay
from tests.timeouts import TIMEOUT_SECONDS

pytestmark = needs("fixtures")

BAD = 1_000


@functools.cache
def commits() -> list[bytes]:
    return [frame for frame in captured_frames() if summarize(frame).kind == "#commit"]


def bad_did(number: int) -> Did:
    return Did(f"did:plc:{'a' * 19}{''.join('abcdefghij'[int(digit)] for digit in f'{number:05}')}")


@functools.cache
def first_commit() -> CommitMessage:
    message = events.read(commits()[0])
    assert isinstance(message, CommitMessage)
    return message


def in_the_name_of(did: Did, seq: int) -> bytes:
    return events.encode(replace(first_commit(), repo=did, seq=seq))


@asynccontextmanager
async def followed(bench: Bench, url: str) -> AsyncIterator[None]:
    stop = asyncio.Event()
    following = asyncio.create_task(follow_source(bench.consumer, url, stop))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            yield
    finally:
        stop.set()
        await following


async def until(look: Callable[[], Awaitable[object]], expected: object) -> None:
    while True:
        if await look() == expected:
            return
        await asyncio.sleep(0.01)


async def number(bench: Bench, table: str) -> int:
    async with bench.db.reader() as reader:
        row = await reader.fetch_one(f"select count(*) as n from {table}")
    return int(row["n"])


async def cursor(bench: Bench) -> int | None:
    async with bench.db.reader() as reader:
        return next((one.cursor for one in await cursors.sources(reader)), None)


def retrying(bench: Bench) -> RetryContext:
    own = bench.consumer
    return RetryContext(
        own.db, own.clock, own.verifier.dids, own.interests, own.tenant_queues, own.metrics, own.unresolved
    )


async def hints(bench: Bench, *of: Did) -> set[tuple[str, HintKind]]:
    found = []
    while deliveries := await bench.queue.lease(2_000, 60):
        found += [decode(delivery.message.body) for delivery in deliveries]
        await bench.queue.ack(deliveries)
    return {(one.did, one.kind) for one in found if isinstance(one, Hint) and one.did in of}


async def test_good_frames_behind_a_thousand_bad_ones_come_before_any_retry(bench: Bench):
    """Each of the thousand authors writes twice. One row remains for each, and each was resolved at most once."""
    good, bad = commits(), [bad_did(number) for number in range(BAD)]
    first = sequences(good)[0]
    frames = [in_the_name_of(did, first - 2 * BAD + place) for place, did in enumerate([*bad, *bad])] + good
    bench.interested_in(*(("did", did) for did in [*bad, *captured_documents()]))
    bench.directory.failing = set(bad)
    async with Relay(frames, sequences(frames)) as relay, followed(bench, relay.url):
        await until(lambda: cursor(bench), sequences(good)[-1])
    assert await number(bench, "verified_repositories") == len(good)
    assert await number(bench, "unresolved_repositories") == BAD
    assert {bench.directory.asked.get(did, 0) for did in bad} <= {0, 1}
    assert await number(bench, "rejected_frames") == 0


async def test_a_host_that_never_answers_delays_nobody_else(bench: Bench):
    """More did:web authors hang than are resolved concurrently. All authors in the directory are applied, and the
    cursor waits for the hanging ones.
    """
    good, released = commits(), asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response(status=503)

    async with answering("/.well-known/did.json", hang) as host:
        # A host can have only one DID without a path. An author with more frames than the limit is dropped, so this
        # author has fewer.
        slow = Did(f"did:web:localhost%3A{host.rpartition(':')[2]}")
        first = sequences(good)[0]
        frames = [in_the_name_of(slow, first - 50 + place) for place in range(50)] + good
        bench.interested_in(*(("did", did) for did in [slow, *captured_documents()]))
        async with Relay(frames, sequences(frames)) as relay, followed(bench, relay.url):
            await until(lambda: number(bench, "verified_repositories"), len(good))
            assert (await cursor(bench) or 0) < first - 50
            released.set()
            await until(lambda: cursor(bench), sequences(good)[-1])
    assert await number(bench, "unresolved_repositories") == 1


async def test_a_failed_signature_does_not_delay_the_stream(bench: Bench):
    """The directory does not respond for the author whose key may have changed. Everybody after them is applied."""
    good = commits()
    did = summarize(good[0]).did
    documents = captured_documents()
    other = next(document for name, document in documents.items() if name != did)
    stale = {**documents[did], "verificationMethod": [dict(one) for one in other["verificationMethod"]]}  # type: ignore[attr-defined]  # what it is besides its contract
    for method in stale["verificationMethod"]:  # type: ignore[attr-defined]  # what it is besides its contract
        method["controller"], method["id"] = did, f"{did}#atproto"
    bench.directory.documents = {**documents, did: stale}
    await bench.consumer.verifier.dids.resolve(Did(did))
    bench.clock.turn(MINUTE)
    bench.directory.hanging = {did}
    bench.interested_in(*(("did", did) for did in documents))
    async with Relay(good, sequences(good)) as relay, followed(bench, relay.url):
        await until(lambda: number(bench, "verified_repositories"), len(good) - 1)
        assert (await cursor(bench) or 0) < sequences(good)[0]


async def test_a_repository_is_read_when_its_identity_can_be_resolved(bench: Bench):
    """The repository is read when its retry is due. The account status is requested too, because frames of either kind
    may have been dropped.
    """
    good = commits()[:3]
    late = Did(summarize(good[0]).did)
    bench.interested_in(*(("did", did) for did in captured_documents()))
    bench.directory.failing = {late}
    async with Relay(good, sequences(good)) as relay, followed(bench, relay.url):
        await until(lambda: cursor(bench), sequences(good)[-1])
    assert await hints(bench, late) == set()
    bench.directory.failing = set()
    assert await retry_due(retrying(bench)) == 0
    bench.clock.turn(FIRST_RETRY)
    assert await retry_due(retrying(bench)) == 1
    assert await hints(bench, late) == {(late, HintKind.IDENTITY), (late, HintKind.REPOSITORY)}
    assert await number(bench, "unresolved_repositories") == 0
    assert late not in bench.consumer.unresolved


async def test_frames_are_processed_again_before_the_repository_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """Otherwise a commit between the reading and the end of the dropping would be missing until the next one."""
    late = Did(summarize(commits()[0]).did)
    await mark(bench, late)
    bench.clock.turn(FIRST_RETRY)
    deliver, were_dropped = delivery.deliver, []

    async def noting(*arguments: Any) -> None:
        were_dropped.append(late in bench.consumer.unresolved)
        await deliver(*arguments)

    monkeypatch.setattr(unresolved, "deliver", noting)
    await retry_due(retrying(bench))
    assert were_dropped == [False]


@pytest.mark.parametrize("is_saved", [True, False])
async def test_an_author_marked_again_during_their_retry_is_read_again(
    bench: Bench, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, is_saved: bool
):
    """Their frames are processed again while the first read is requested, and their key cannot be resolved then. The
    frames that are dropped from then on are not in that read.
    """
    bench.consumer = replace(bench.consumer, db=await make_database("openmeet.network.firehose", clock=bench.clock))
    late, later = bad_did(1), bench.consumer.unresolved
    bench.interested_in(("did", late))
    bench.directory.documents = {late: {"id": late}}
    await mark(bench, late)
    bench.clock.turn(FIRST_RETRY)
    deliver = delivery.deliver

    async def mark_meanwhile(*arguments: Any) -> None:
        await deliver(*arguments)
        later.add(late, "wss://relay.example", FailureReason.UNAVAILABLE(), bench.clock.now())
        if is_saved:
            await save(bench)

    with monkeypatch.context() as patched:
        patched.setattr(unresolved, "deliver", mark_meanwhile)
        assert await retry_due(retrying(bench)) == 1
    assert late in later
    assert later.is_changed is not is_saved
    await save(bench)
    assert await hints(bench, late) == {(late, HintKind.IDENTITY), (late, HintKind.REPOSITORY)}
    bench.clock.turn(FIRST_RETRY)
    assert await retry_due(retrying(bench)) == 1
    assert await hints(bench, late) == {(late, HintKind.IDENTITY), (late, HintKind.REPOSITORY)}
    assert late not in later
    await bench.consumer.db.close()


async def mark(bench: Bench, did: Did) -> None:
    bench.consumer.unresolved.add(did, "wss://relay.example", FailureReason.UNAVAILABLE(), bench.clock.now())
    await save(bench)


async def save(bench: Bench) -> None:
    """Store the marks as with the next cursor."""
    later = bench.consumer.unresolved
    stored = later.snapshot()
    async with bench.consumer.db.transaction() as tx:
        await later.save(tx)
    later.saved(stored)


async def test_failed_retries_back_off_and_end(bench: Bench):
    late = Did(summarize(commits()[0]).did)
    bench.directory.failing = {late}
    await mark(bench, late)
    bench.clock.turn(FIRST_RETRY)
    assert await retry_due(retrying(bench)) == 1
    bench.clock.turn(FIRST_RETRY)
    assert await retry_due(retrying(bench)) == 0
    bench.clock.turn(unresolved.KEPT_FOR)
    assert await retry_due(retrying(bench)) == 1
    assert await number(bench, "unresolved_repositories") == 0


async def test_a_restart_remembers_dropped_authors(bench: Bench):
    """A new process does not resolve the authors again before they are due."""
    good = commits()[:2]
    late = Did(summarize(good[0]).did)
    bench.interested_in(*(("did", did) for did in captured_documents()))
    bench.directory.failing = {late}
    async with Relay(good, sequences(good)) as relay:
        async with followed(bench, relay.url):
            await until(lambda: cursor(bench), sequences(good)[-1])
        last = sequences(good)[-1] + 1
        relay.frames, relay.sequences = [*good, in_the_name_of(late, last)], [*sequences(good), last]
        bench.consumer = replace(bench.consumer, unresolved=UnresolvedAuthors())
        bench.clock.turn(MINUTE)
        async with followed(bench, relay.url):
            await until(lambda: cursor(bench), last)
    assert bench.directory.asked[late] == 1


async def test_rows_are_capped_and_the_oldest_are_deleted(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unresolved, "MAX_PER_SOURCE", 10)
    later = bench.consumer.unresolved
    dids = [bad_did(number) for number in range(25)]
    forgotten = sum(later.add(did, "wss://one.example", FailureReason.UNAVAILABLE(), bench.clock.now()) for did in dids)
    later.add(bad_did(99), "wss://other.example", FailureReason.UNAVAILABLE(), bench.clock.now())
    async with bench.db.transaction() as tx:
        await later.save(tx)
    assert forgotten == 15
    assert await number(bench, "unresolved_repositories") == 11
    assert dids[14] not in later
    assert dids[15] in later


async def test_an_author_with_too_many_frames_is_read_later(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """The memory for waiting frames is bounded. An author who fills it is read later instead of waiting for a lookup."""
    monkeypatch.setattr(identity_lookups, "MAX_FRAMES_OF_DID", 5)
    did = bad_did(1)
    bench.directory.hanging = {did}
    frames = [in_the_name_of(did, seq) for seq in range(1, 20)]
    bench.interested_in(("did", did))
    async with Relay(frames, sequences(frames)) as relay, followed(bench, relay.url):
        await until(lambda: cursor(bench), 19)
    assert await number(bench, "unresolved_repositories") == 1


async def test_an_erased_account_is_read_again(bench: Bench):
    """Another process deletes the row of the account. The consumer, which drops the account's frames, notices this in
    its next round.
    """
    did = bad_did(1)
    later = bench.consumer.unresolved
    await mark(bench, did)
    async with bench.db.transaction() as tx:
        await cursors.erase(tx, did)
    await retry_due(retrying(bench))
    assert did not in later
