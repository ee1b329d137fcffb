"""One stream into the queues of those it concerns.

- A frame is glanced at; what concerns nobody is left there. The rest is verified, one DID strictly in order, different
  DIDs at the same time.
- What was verified is published in the order of the stream; only behind the queue's confirmation does the cursor move.
  While the queue is away, a bounded number of frames waits here, then reading stops.
- A frame that is wrong is counted, kept for inspection, and does not stop the stream. When nobody can tell whose key a
  commit must be signed with, its repository is owed a read instead: nothing is dropped silently.
- A number far beyond the last one would make every later frame look old. It ends the connection, is counted and kept,
  and is believed when the next connection begins with it.
- What a server has forgotten since our cursor, by its own notice or by such a jump, comes never: those that it spoke for
  are owed reads, in the place of the stream where it is missing (``gaps``).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from cachetools import LRUCache

from at_network.event_stream import Backoff, follow, reconnect_delay
from at_protocol.failures import Malformed
from at_protocol.sync.account_state import AccountState, StreamPosition
from at_protocol.sync.events import CommitMessage, InfoMessage, Sequenced
from at_protocol.sync.frames import ErrorFrame, Glance, glance
from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE, Clock, Instant
from groundwork.database.transaction import Database
from groundwork.errors import Failure, RemoteFailed, RemoteSlow, Unavailable
from groundwork.http.client import HttpClient
from groundwork.telemetry.logs import log
from openmeet.firehose import gaps, progress
from openmeet.firehose.counting import Counting
from openmeet.firehose.delivery import Delivering, deliver
from openmeet.firehose.following import follow_until
from openmeet.firehose.interests import Interests
from openmeet.firehose.progress import Rejected, SourceState
from openmeet.firehose.upstreams import Upstream
from openmeet.firehose.verification import NOTHING, Read, Verifier, decode, read_message
from openmeet.records.message import Hint, HintKind, RecordMessage

# Frames that are verified or wait for the queue; at the usual 5 kB a few megabytes.
MAX_PENDING = 1000
BATCH = 200
# How far the stored cursor may lag behind frames that concern nobody.
SAVE_SECONDS = 1.0
KNOWN_IN_MEMORY = 50_000
IDENTITY_TRIES = 3
# A server says at every connection that it has forgotten; connections that break off before a frame came would repeat it.
GAP_SAID_AGAIN = 10 * MINUTE
# Three hours of the whole network, and more than any of its servers writes in a day.
MAX_JUMP = 10_000_000
# Some servers number by their clock, in microseconds: gaps of theirs are as long as nothing was written. 2020-01-01.
_NUMBERED_BY_CLOCK_FROM = 1_577_836_800_000_000


@dataclass(frozen=True, slots=True)
class Consumer:
    """What following a stream needs. ``sleep`` is the loop's, or a test's."""

    db: Database
    http: HttpClient
    clock: Clock
    verifier: Verifier
    interests: Interests
    delivering: Delivering
    counting: Counting
    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


async def run(consumer: Consumer, upstreams: Sequence[Upstream], stop: asyncio.Event) -> None:
    """Follow all sources until ``stop`` is set."""
    await asyncio.gather(
        *(
            follow_source(
                replace(consumer, verifier=replace(consumer.verifier, care=one.care)),
                one.url,
                stop,
                sender=one.sender,
                first_cursor=one.first_cursor,
            )
            for one in upstreams
        )
    )


async def follow_source(
    consumer: Consumer, url: str, stop: asyncio.Event, *, sender: str | None = None, first_cursor: int | None = 0
) -> None:
    """Follow one source from its stored cursor until ``stop`` is set, or until it says that it does not know us.

    ``sender`` and ``first_cursor``: see ``Upstream``; by default a relay, from the beginning of its memory.
    """
    async with consumer.db.transaction() as tx:
        cursor = await progress.add_source(tx, url, cursor=first_cursor)
    stream = _Stream(consumer, url, cursor, sender)
    try:
        await follow_until(stop, stream, url)
    finally:
        stream.abandon()


@dataclass(slots=True)
class _Item:
    """One frame on its way: ``reading`` yields what it means."""

    seq: int
    did: str
    frame: bytes
    reading: asyncio.Task[Read]


class _Stream:
    """One source being followed."""

    def __init__(self, consumer: Consumer, url: str, cursor: int | None, sender: str | None) -> None:
        self._consumer = consumer
        self._url = url
        self._sender = sender
        self._cursor = cursor  # everything up to here is behind confirmed messages
        self._stored = cursor
        self._position = StreamPosition(last_seq=cursor or 0)
        self._pending: deque[_Item] = deque()
        self._last_of_did: dict[str, asyncio.Task[Read]] = {}
        self._known: LRUCache[str, AccountState] = LRUCache(KNOWN_IN_MEMORY)
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._lost: str | None = None
        self._refused_jump: int | None = None  # of the connection before; None once a frame was believed
        self._jumps = 0
        self._gap: tuple[int | None, Instant] | None = None  # the cursor behind which one was noted last, and when

    async def read(self) -> None:
        """Take frames from the stream, over as many connections as it takes."""
        while not await self._read_until_jump():
            self._jumps += 1
            seconds = reconnect_delay(self._jumps, 1.0, self._consumer.backoff)
            self._on_lost(RemoteFailed("The stream’s numbers jumped."), seconds)
            await self._consumer.sleep(seconds)

    async def _read_until_jump(self) -> bool:
        """Follow the stream; True where following is over, False where a number jumped."""
        consumer = self._consumer
        frames = follow(
            consumer.http,
            consumer.clock,
            self._url,
            position=lambda: self._cursor,
            backoff=consumer.backoff,
            on_lost=self._on_lost,
            sleep=consumer.sleep,
        )
        looked_at = consumer.counting.frames_looked_at
        async with aclosing(frames):
            async for frame in frames:
                looked_at.inc()
                try:
                    seen = glance(frame)
                except Malformed as wrong:
                    self._reject_at_once(frame, str(wrong))
                    await self._make_room()
                    continue
                if not seen.seq:
                    if await self._unsequenced(frame):
                        return True
                    await self._make_room()
                    continue
                if self._is_jump(seen.seq):
                    self._refused_jump = seen.seq
                    self._reject_at_once(frame, f"the number {seen.seq} is far beyond {self._position.last_seq}")
                    await self._make_room()
                    return False
                if self._is_far(seen.seq):
                    self._note_gap(f"its numbers go from {self._position.last_seq} to {seen.seq}")
                if not self._position.advance(seen.seq):
                    continue  # sent again after a reconnect
                self._refused_jump, self._jumps = None, 0
                if not consumer.interests.concerns(seen):
                    if not self._pending:
                        self._cursor = seen.seq
                    continue
                self._start(seen, frame)
                await self._make_room()
        return True

    def _is_jump(self, seq: int) -> bool:
        """Whether a number is too far beyond the last one to be believed at once."""
        if not self._is_far(seq):
            return False
        # A server whose memory does not reach back to our cursor begins behind a gap, every time, and near the same place.
        return self._refused_jump is None or abs(seq - self._refused_jump) > MAX_JUMP

    def _is_far(self, seq: int) -> bool:
        last = self._position.last_seq
        if not last or seq - last <= MAX_JUMP:
            return False
        return last < _NUMBERED_BY_CLOCK_FROM or seq > self._consumer.clock.now() + MINUTE

    def _note_gap(self, why: str) -> None:
        """Frames behind our cursor will never come: whoever they may have been of is owed a read before it moves on."""
        now = self._consumer.clock.now()
        if not self._position.last_seq:
            return  # nothing was read here yet
        if self._gap is not None and self._gap[0] == self._cursor and now - self._gap[1] < GAP_SAID_AGAIN:
            return
        self._gap = self._cursor, now
        log.warning("source.gap", source=self._url, reason=why)
        reading = asyncio.create_task(self._reads_owed(why))
        self._pending.append(_Item(self._position.last_seq, "", b"", reading))
        self._something.set()

    async def _reads_owed(self, why: str) -> Read:
        consumer = self._consumer
        if self._sender is None:
            dids = gaps.everybody_followed(consumer.interests)
            return Read(tuple(gaps.reads_owed(dids, why, consumer.clock.now())))
        while True:
            try:
                async with consumer.db.reader() as reader:
                    dids = await gaps.heard_through(reader, self._url)
            except Unavailable as away:
                log.warning("source.gap_waits", source=self._url, reason=away.why)
                await consumer.sleep(SAVE_SECONDS)
            else:
                # Whom frames before this one told of may not be stored yet.
                return Read(tuple(gaps.reads_owed([*dids, *self._known], why, consumer.clock.now())))

    async def _make_room(self) -> None:
        """Wait while as many frames as may be are under way: good ones, bad ones, garbage."""
        while len(self._pending) >= MAX_PENDING:
            self._room.clear()
            await self._room.wait()

    async def drain(self) -> None:
        """Publish what was verified, in the order of the stream, and move the cursor behind it."""
        while True:
            self._something.clear()
            if not self._pending:
                await self._save_skipped()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._something.wait(), SAVE_SECONDS)
                continue
            await asyncio.wait({self._pending[0].reading})
            batch = self._finished()
            await self._deliver(batch)
            for _ in batch:
                item = self._pending.popleft()
                if self._last_of_did.get(item.did) is item.reading:
                    del self._last_of_did[item.did]
            self._room.set()

    def abandon(self) -> None:
        """Stop verifying; what was not published comes again after the next start."""
        for item in self._pending:
            item.reading.cancel()

    def _start(self, seen: Glance, frame: bytes) -> None:
        previous = self._last_of_did.get(seen.did)
        reading = asyncio.create_task(self._verify(frame, seen, previous))
        self._last_of_did[seen.did] = reading
        self._pending.append(_Item(seen.seq, seen.did, frame, reading))
        self._something.set()

    def _reject_at_once(self, frame: bytes, why: str) -> None:
        """Not even a number can be read: it takes the place behind the last frame seen."""
        reading = asyncio.create_task(_refused(why))
        self._pending.append(_Item(self._position.last_seq, "", frame, reading))
        self._something.set()

    async def _verify(self, frame: bytes, seen: Glance, previous: asyncio.Task[Read] | None) -> Read:
        if previous is not None:
            await asyncio.wait({previous})
        try:
            message = decode(frame)
        except Malformed as wrong:
            return Read(refusal=str(wrong))
        if message is None or isinstance(message, InfoMessage | ErrorFrame):
            return NOTHING
        read = await self._read_message(message, Did(seen.did))
        if read.state is not None:
            self._known[seen.did] = read.state
        return read

    async def _read_message(self, message: Sequenced, did: Did) -> Read:
        for attempt in range(IDENTITY_TRIES):
            try:
                return await read_message(
                    self._consumer.verifier, message, lambda: self._state_of(did), sender=self._sender
                )
            except (RemoteFailed, RemoteSlow, Unavailable) as lost:
                log.warning("identity.unreachable", did=did, reason=lost.why)
                await self._consumer.sleep(2.0**attempt)
        # Nobody can tell whose signature this must be. Its repository is read whole when somebody can.
        seq, rev = message.seq, message.rev if isinstance(message, CommitMessage) else ""
        return Read((Hint(did, HintKind.REPOSITORY, rev, seq),))

    async def _state_of(self, did: Did) -> AccountState:
        state = self._known.get(did)
        if state is None:
            async with self._consumer.db.reader() as reader:
                state = await progress.known_of(reader, did)
        return state

    def _finished(self) -> list[_Item]:
        batch: list[_Item] = []
        for item in self._pending:
            if not item.reading.done() or len(batch) == BATCH:
                break
            batch.append(item)
        return batch

    async def _deliver(self, batch: Sequence[_Item]) -> None:
        known: dict[str, AccountState] = {}
        refused: list[Rejected] = []
        messages: list[RecordMessage | Hint] = []
        for item in batch:
            read = item.reading.result()
            if read.refusal:
                refused.append(Rejected(self._url, item.seq or None, item.did or None, read.refusal, item.frame))
                self._consumer.counting.frames_rejected.inc()
                log.warning("frame.rejected", source=self._url, seq=item.seq, did=item.did, reason=read.refusal)
            if read.state is not None:
                known[item.did] = read.state
                if read.state.known is not None:
                    self._consumer.interests.followed.add(item.did)
            messages += read.messages
        await deliver(self._consumer.delivering, self._consumer.interests, messages)
        self._cursor = batch[-1].seq if len(batch) < len(self._pending) else self._position.last_seq
        await self._save(known, refused)

    async def _save_skipped(self) -> None:
        if self._cursor != self._stored or self._lost is not None:
            await self._save({}, ())

    async def _save(self, known: Mapping[str, AccountState], refused: Sequence[Rejected]) -> None:
        """A store that is away keeps the cursor where it was: what is behind it comes again, and is known then."""
        cursor, lost = self._cursor, self._lost
        try:
            async with self._consumer.db.transaction() as tx:
                if cursor is not None:
                    await progress.advance(tx, self._url, cursor, known, refused)
                if lost is not None:
                    await progress.set_state(tx, self._url, SourceState.FAILING, lost)
        except Unavailable as away:
            log.error("cursor.save_failed", source=self._url, reason=away.why)
            await self._consumer.sleep(SAVE_SECONDS)
            return
        self._stored = cursor
        self._lost = None
        if cursor is not None:
            self._consumer.counting.cursor.labels(self._url).set(cursor)

    async def _unsequenced(self, frame: bytes) -> bool:
        """An error, a notice, or something of the future; True where following is over."""
        try:
            message = decode(frame)
        except Malformed as wrong:
            self._reject_at_once(frame, str(wrong))
            return False
        match message:
            case ErrorFrame(error, why):
                log.error("source.said_error", source=self._url, error=error, message=why)
                if error != "FutureCursor":
                    return False
                # Not to be mended by waiting, and not to be reset silently: what is ahead of us was lost there, or
                # this is another stream under the same name.
                async with self._consumer.db.transaction() as tx:
                    await progress.set_state(tx, self._url, SourceState.STOPPED, "The server does not know our cursor.")
                return True
            case InfoMessage(name, why):
                log.warning("source.said_info", source=self._url, name=name, message=why)
                if name == "OutdatedCursor":
                    self._note_gap("the server has forgotten what came after our cursor")
            case _:
                pass
        return False

    def _on_lost(self, failure: Failure | None, seconds: float) -> None:
        self._lost = "closed by the server" if failure is None else failure.why
        log.warning("source.lost", source=self._url, reason=self._lost, again_in_seconds=round(seconds, 1))


async def _refused(why: str) -> Read:
    return Read(refusal=why)
