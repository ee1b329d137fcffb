"""The consumer on captured frames: all are verified, the cursor follows confirmed messages, bad frames are stored."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from at_protocol.sync.frames import MAX_SEQ, encode_error, summarize
from groundwork.clock import HOUR, MINUTE
from groundwork.queue.contract import Message, Queue, QueueUnavailable
from openmeet.i18n.reasons.messages import explain
from openmeet.network.firehose import cursors
from openmeet.network.firehose.consumer import follow_source
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.firehose.reasons import FirehoseReason
from openmeet.network.firehose.repo_stream import MAX_JUMP
from openmeet.network.records.message import Hint, HintKind, decode
from tests.external_dependencies import needs
from tests.openmeet.firehose.conftest import TENANT, Bench, captured_documents, captured_frames, sequences
from tests.openmeet.firehose.frames import (
    account_frame,
    captured_dids,
    count_verified_repositories,
    follow_frames_until,
)
from tests.simulation.relay import Relay
from tests.timeouts import TIMEOUT_SECONDS

pytestmark = needs("fixtures")


async def test_every_captured_commit_is_verified(bench: Bench):
    """Signatures are checked against captured DID documents, and so are the MST inversion and the chain of commits: 80
    commits of 80 accounts, none rejected.
    """
    frames = captured_frames()
    bench.interested_in(*captured_dids())
    async with Relay(frames, sequences(frames)) as relay:
        source = await follow_frames_until(bench, relay.url, lambda source: source.cursor == sequences(frames)[-1])
    assert source.state is SourceState.FOLLOWING
    assert await count_verified_repositories(bench) == 80
    async with bench.db.reader() as reader:
        assert await cursors.rejected(reader) == []


async def test_irrelevant_frames_are_not_decoded(bench: Bench):
    """No identity is resolved and nothing is enqueued, but the cursor advances."""
    frames = captured_frames()
    bench.interested_in(("collection", "community.lexicon.calendar.event"))
    async with Relay(frames, sequences(frames)) as relay:
        await follow_frames_until(bench, relay.url, lambda source: source.cursor == sequences(frames)[-1])
    assert bench.directory.asked == {}
    assert (await bench.queue.depth()).waiting == 0


async def test_a_newly_seen_account_is_read(bench: Bench):
    frames = captured_frames()
    bench.interested_in(*captured_dids())
    async with Relay(frames, sequences(frames)) as relay:
        await follow_frames_until(bench, relay.url, lambda source: source.cursor == sequences(frames)[-1])
    messages = [decode(delivery.message.body) for delivery in await bench.queue.lease(1000, 60)]
    hints = [message for message in messages if isinstance(message, Hint)]
    assert sum(hint.kind is HintKind.REPOSITORY for hint in hints) >= 70
    assert len({hint.did for hint in hints}) == len(hints)


async def test_bad_frames_are_kept_and_the_stream_continues(bench: Bench):
    """A flipped bit, garbage, and a commit in another account's name are each refused, and the other frames are
    processed.
    """
    frames = captured_frames()
    numbers = sequences(frames)
    flipped = bytearray(frames[10])
    flipped[len(flipped) // 2] ^= 1
    frames[10] = bytes(flipped)
    frames[20] = b"\xff\x00garbage"
    bench.interested_in(*captured_dids())
    async with Relay(frames, numbers) as relay:
        await follow_frames_until(bench, relay.url, lambda source: source.cursor == numbers[-1])
    async with bench.db.reader() as reader:
        kept = await cursors.rejected(reader)
    assert {one.frame for one in kept} == {frames[10], frames[20]}
    assert all(explain(one.reason) for one in kept)
    assert await count_verified_repositories(bench) == 78


async def test_second_start_continues_at_the_cursor(bench: Bench):
    """Frames before the cursor are not requested again and have no second effect."""
    frames, numbers = captured_frames(), sequences(captured_frames())
    bench.interested_in(*captured_dids())
    async with Relay(frames[:40], numbers[:40]) as relay:
        await follow_frames_until(bench, relay.url, lambda source: source.cursor == numbers[39])
        waiting = (await bench.queue.depth()).waiting
        relay.frames, relay.sequences = frames, numbers
        await follow_frames_until(bench, relay.url, lambda source: source.cursor == numbers[-1])
    deliveries = await bench.queue.lease(1000, 60)
    identifiers = [delivery.message.message_id for delivery in deliveries]
    assert len(identifiers) == len(set(identifiers)) > waiting


class _Away:
    """A queue whose broker fails the first few calls."""

    def __init__(self, queue: Queue, failures: int) -> None:
        self.queue, self.failures, self.order, self.asked = queue, failures, [], asyncio.Event()

    async def publish(self, messages: Sequence[Message]) -> None:
        self.asked.set()
        if self.failures:
            self.failures -= 1
            raise QueueUnavailable("the broker is away")
        self.order.extend(message.message_id for message in messages)
        await self.queue.publish(messages)


async def test_cursor_waits_for_the_queue(bench: Bench):
    """While the broker is unavailable, the cursor stays. Afterwards no message is missing."""
    frames, numbers = captured_frames(), sequences(captured_frames())
    bench.interested_in(*captured_dids())
    away = _Away(bench.queue, failures=10**9)
    delivering = replace(bench.consumer.tenant_queues, queues={TENANT: away})
    bench.consumer = replace(bench.consumer, tenant_queues=delivering)
    stop = asyncio.Event()
    async with Relay(frames, numbers) as relay:
        following = asyncio.create_task(follow_source(bench.consumer, relay.url, stop))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await away.asked.wait()
            async with bench.db.reader() as reader:
                assert (await cursors.sources(reader))[0].cursor in {0, numbers[0] - 1}
            away.failures = 0
            while True:
                async with bench.db.reader() as reader:
                    if (await cursors.sources(reader))[0].cursor == numbers[-1]:
                        break
                await asyncio.sleep(0.01)
        stop.set()
        await following
    assert len(away.order) == len(set(away.order)) >= 70


async def test_unknown_cursor_stops_the_source(bench: Bench):
    """The source stops instead of resetting its cursor, because an operator has to look."""
    async with Relay([encode_error("FutureCursor")], [1]) as relay:
        source = await follow_frames_until(bench, relay.url, lambda source: source.state is SourceState.STOPPED)
    assert source.reason == FirehoseReason.CURSOR_UNKNOWN()


async def test_a_rotated_key_is_resolved_again(bench: Bench):
    """A stale DID document is refreshed before a signature is rejected."""
    frames = captured_frames()
    commit = next(frame for frame in frames if summarize(frame).kind == "#commit")
    did = summarize(commit).did
    documents = captured_documents()
    stale = {
        **documents[did],
        "verificationMethod": next(d for k, d in documents.items() if k != did)["verificationMethod"],
    }
    for method in stale["verificationMethod"]:  # type: ignore[attr-defined]  # what it is besides its contract
        method["controller"], method["id"] = did, f"{did}#atproto"
    bench.directory.documents = {**documents, did: stale}
    bench.interested_in(("did", did))
    await bench.consumer.verifier.dids.resolve(did)
    bench.directory.documents = captured_documents()
    bench.clock.turn(MINUTE)  # an identity is not refreshed again within half a minute
    async with Relay([commit], [summarize(commit).seq]) as relay:
        await follow_frames_until(bench, relay.url, lambda source: source.cursor == summarize(commit).seq)
    assert await count_verified_repositories(bench) == 1


class _Glitch(Relay):
    """A relay that sends one frame with a wrong number, on the first connection only."""

    glitch: bytes = b""

    async def _subscribe(self, request: web.Request) -> web.WebSocketResponse:
        frames, numbers = self.frames, self.sequences
        if self.connections == 0:
            self.frames = [*frames[:5], self.glitch, *frames[5:]]
            self.sequences = [*numbers[:5], MAX_SEQ, *numbers[5:]]
        try:
            return await super()._subscribe(request)
        finally:
            self.frames, self.sequences = frames, numbers


async def test_a_number_far_ahead_does_not_make_later_frames_old(bench: Bench):
    """The frame is stored as rejected and ends the connection. The next connection does not repeat it and brings
    everything after it.
    """
    frames = captured_frames()
    numbers = sequences(frames)
    bench.interested_in(*captured_dids())
    relay = _Glitch(frames, numbers)
    relay.glitch = account_frame(MAX_SEQ)
    async with relay:
        source = await follow_frames_until(bench, relay.url, lambda source: source.cursor == numbers[-1])
    assert source.cursor == numbers[-1]
    assert relay.connections == 2
    assert await count_verified_repositories(bench) == 80
    async with bench.db.reader() as reader:
        kept = await cursors.rejected(reader)
    assert [one.frame for one in kept] == [relay.glitch]
    assert explain(kept[0].reason).startswith(f"The sequence number {MAX_SEQ} is far beyond ")


async def test_a_gap_at_the_start_of_a_connection_is_accepted(bench: Bench):
    """A relay that no longer has the events after our cursor starts far ahead on every connection."""
    far = [MAX_JUMP * 5, MAX_JUMP * 5 + 1]
    bench.interested_in(*captured_dids())
    async with Relay([account_frame(1), *map(account_frame, far)], [1, *far]) as relay:
        await follow_frames_until(bench, relay.url, lambda source: source.cursor == far[-1])
        assert relay.connections == 2


async def test_clock_based_numbers_can_have_any_gap_up_to_now(bench: Bench):
    """Some servers number frames by the clock. A gap after a quiet hour is accepted, but a number from tomorrow is
    refused.
    """
    now = int(bench.clock.now())
    numbers = [now - 2 * HOUR, now - HOUR, now]
    bench.interested_in(*captured_dids())
    async with Relay([account_frame(number) for number in numbers], numbers) as relay:
        await follow_frames_until(bench, relay.url, lambda source: source.cursor == numbers[-1])
        assert relay.connections == 1
