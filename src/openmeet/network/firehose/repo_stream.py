"""Follow one event stream and deliver its messages to the queues of the tenants that want them.

- Frames are prefiltered, and those that concern no tenant are dropped. The rest are verified: the frames of one DID
  strictly in order, different DIDs concurrently.
- Verified messages are published in stream order; the cursor moves only after the queue has confirmed them. While the
  queue is unreachable, a bounded number of frames waits here, then reading stops.
- Lookups do not block the stream: a commit whose author must be resolved waits separately (``identity_lookups``), and the
  cursor stays below it. If the author's key cannot be resolved, their frames are dropped and the repository is read
  later (``unresolved``).
- An invalid frame is counted and kept for inspection, and does not stop the stream.
- A sequence number far beyond the last one would make every later frame look old. The connection is closed, and the
  frame is counted and kept. The number is accepted if the next connection begins with it too.
- Frames older than the server's backlog never arrive. The server reports this gap, or a jump of the sequence number
  reveals it. Reads of the repositories concerned are then enqueued, at the place in the stream where frames are missing
  (``cursors``).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from cachetools import LRUCache

from at_network.event_stream import follow, reconnect_delay
from at_protocol.failures import Malformed
from at_protocol.sync.account_state import AccountState, StreamPosition
from at_protocol.sync.events import CommitMessage, InfoMessage, SyncMessage
from at_protocol.sync.frames import ErrorFrame, FrameSummary, summarize
from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE, Instant
from groundwork.errors import Explanation, Failure, RemoteFailed, Unavailable
from groundwork.telemetry.logs import log
from openmeet.network.firehose import cursors
from openmeet.network.firehose.cursors import RejectedFrame, SourceState
from openmeet.network.firehose.delivery import deliver
from openmeet.network.firehose.following import BATCH, MAX_PENDING, SAVE_SECONDS, Consumer, report_of_source
from openmeet.network.firehose.identity_lookups import Lookups, PendingCommit
from openmeet.network.firehose.reasons import FirehoseReason, FrameRefusal, refusal_of
from openmeet.network.firehose.verification import (
    NOTHING,
    AuthorIdentity,
    FrameResult,
    IdentityLookup,
    decode,
    read_message,
)
from openmeet.network.records.message import GapCause, Hint, RecordMessage

KNOWN_IN_MEMORY = 50_000
# A server reports its gap on every connection, so connections that break before the first frame would repeat it.
GAP_LOGGED_AGAIN = 10 * MINUTE


@dataclass(slots=True)
class _Item:
    """A frame in progress. ``reading`` is the task that produces its messages."""

    seq: int
    did: str
    frame: bytes
    reading: asyncio.Task[FrameResult]


class RepoStream:
    """The source being followed."""

    def __init__(self, consumer: Consumer, url: str, cursor: int | None, sender: str | None) -> None:
        self._consumer = consumer
        self._url = url
        self._sender = sender
        self._cursor = cursor  # all messages up to this cursor are confirmed
        self._stored = cursor
        self._position = StreamPosition(last_seq=cursor or 0)
        self._pending: deque[_Item] = deque()
        self._last_of_did: dict[str, asyncio.Task[FrameResult]] = {}
        self._verified_late: deque[tuple[PendingCommit, Did, FrameResult]] = (
            deque()
        )  # delivered out of order, because their authors were looked up
        self._lookups = Lookups(
            consumer.verifier.dids,
            evaluate=self._evaluate,
            on_result=self._on_verified,
            on_dropped=self._read_later,
            on_crash=self._on_crash,
        )
        self._crash: BaseException | None = None
        self._known: LRUCache[str, AccountState] = LRUCache(KNOWN_IN_MEMORY)
        self._has_work = asyncio.Event()
        self._has_room = asyncio.Event()
        self._connection = report_of_source(url)
        self._refused_jump: int | None = None  # set by the previous connection; None once a frame was accepted
        self._jumps = 0
        self._gap: tuple[int | None, Instant] | None = None  # the cursor at which a gap was last noted, and when

    async def read(self) -> None:
        """Receive frames from the stream, over as many connections as needed."""
        while not await self._read_until_jump():
            self._jumps += 1
            seconds = reconnect_delay(self._jumps, 1.0, self._consumer.backoff)
            self._on_lost(RemoteFailed(FirehoseReason.NUMBERS_JUMPED), seconds)
            await self._consumer.sleep(seconds)

    async def _read_until_jump(self) -> bool:
        """Follow the stream; returns True if following has ended, False if the sequence number jumped."""
        consumer = self._consumer
        frames = follow(
            consumer.http,
            consumer.clock,
            self._url,
            position=lambda: self._cursor,
            backoff=consumer.backoff,
            on_open=self._connection.opened,
            on_lost=self._on_lost,
            sleep=consumer.sleep,
        )
        looked_at = consumer.metrics.frames_looked_at
        async with aclosing(frames):
            async for frame in frames:
                looked_at.inc()
                try:
                    summary = summarize(frame)
                except Malformed as wrong:
                    self._reject_at_once(frame, refusal_of(wrong))
                    await self._make_room()
                    continue
                if not summary.seq:
                    if await self._receive_unsequenced(frame):
                        return True
                    await self._make_room()
                    continue
                last, now = self._position.last_seq, consumer.clock.now()
                if is_jump(last, summary.seq, now, refused=self._refused_jump):
                    self._refused_jump = summary.seq
                    too_far = FirehoseReason.NUMBER_TOO_FAR(seq=str(summary.seq), last=str(last))
                    self._reject_at_once(frame, FrameRefusal(too_far))
                    await self._make_room()
                    return False
                if is_far(last, summary.seq, now):
                    self._note_gap(GapCause.NUMBERS_JUMPED, last=last, seq=summary.seq)
                if not self._position.advance(summary.seq):
                    continue  # will be sent again after a reconnect
                self._refused_jump, self._jumps = None, 0
                if not consumer.interests.matches(summary) or self._is_dropped(summary.did):
                    if not self._pending:
                        self._advance(summary.seq)
                    continue
                self._start(summary, frame)
                await self._make_room()
        return True

    def _note_gap(self, cause: GapCause, **numbers: int) -> None:
        """Enqueue reads of all repositories concerned, before the cursor moves: the frames missing after our cursor
        will never arrive. ``numbers`` are for the log.
        """
        now = self._consumer.clock.now()
        if not self._position.last_seq:
            return  # nothing has been read from this source yet
        if self._gap is not None and self._gap[0] == self._cursor and now - self._gap[1] < GAP_LOGGED_AGAIN:
            return
        self._gap = self._cursor, now
        log.warning("source.gap", source=self._url, reason=cause.value, **numbers)
        reading = asyncio.create_task(self._read_requests(cause))
        self._append(_Item(self._position.last_seq, "", b"", reading))

    async def _read_requests(self, cause: GapCause) -> FrameResult:
        consumer = self._consumer
        if self._sender is None:
            dids = cursors.all_followed_dids(consumer.interests)
            return FrameResult(tuple(cursors.read_requests(dids, cause, consumer.clock.now())))
        while True:
            try:
                async with consumer.db.reader() as reader:
                    dids = await cursors.dids_of_stream(reader, self._url)
            except Unavailable as away:
                log.warning("source.gap_waits", source=self._url, reason=away.why)
                await consumer.sleep(SAVE_SECONDS)
            else:
                # Repositories seen in earlier frames may not be stored yet.
                return FrameResult(tuple(cursors.read_requests([*dids, *self._known], cause, consumer.clock.now())))

    async def _make_room(self) -> None:
        """Wait while the maximum number of frames, valid or not, is in progress."""
        while len(self._pending) >= MAX_PENDING:
            self._has_room.clear()
            await self._has_room.wait()

    async def drain(self) -> None:
        """Publish verified messages in stream order, and move the cursor past them."""
        while True:
            self._has_work.clear()
            if self._crash is not None:
                raise self._crash
            if not self._verified_late and not self._is_head_read():
                if not self._pending:
                    self._advance(self._position.last_seq)
                    await self._save_skipped()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SAVE_SECONDS):
                        await self._has_work.wait()
                continue
            batch, late = self._finished(), list(self._verified_late)
            await self._deliver(batch, late)
            self._has_room.set()

    def _is_head_read(self) -> bool:
        return bool(self._pending) and self._pending[0].reading.done()

    def abandon(self) -> None:
        """Stop verifying. Frames that were not published will be sent again after the next start."""
        self._lookups.abandon()
        for item in self._pending:
            item.reading.cancel()

    def _start(self, summary: FrameSummary, frame: bytes) -> None:
        previous = self._last_of_did.get(summary.did)
        reading = asyncio.create_task(self._verify(frame, summary, previous))
        self._last_of_did[summary.did] = reading
        self._append(_Item(summary.seq, summary.did, frame, reading))

    def _append(self, item: _Item) -> None:
        self._pending.append(item)
        item.reading.add_done_callback(lambda _done: self._has_work.set() if self._is_head_read() else None)

    def _reject_at_once(self, frame: bytes, refusal: FrameRefusal) -> None:
        """Reject a frame that has no usable sequence number; it is placed after the last frame seen."""
        reading = asyncio.create_task(_refused(refusal))
        self._append(_Item(self._position.last_seq, "", frame, reading))

    async def _verify(
        self, frame: bytes, summary: FrameSummary, previous: asyncio.Task[FrameResult] | None
    ) -> FrameResult:
        if previous is not None:
            await asyncio.wait({previous})
        try:
            message = decode(frame)
        except Malformed as wrong:
            return FrameResult(refusal=refusal_of(wrong))
        if message is None or isinstance(message, InfoMessage | ErrorFrame):
            return NOTHING
        did, pending_commit = Did(summary.did), PendingCommit(summary.seq, frame, message)
        if isinstance(message, CommitMessage | SyncMessage) and self._lookups.holds(did):
            self._lookups.hold(did, pending_commit)
            return NOTHING
        if self._is_dropped(did):
            return NOTHING
        result = await self._evaluate(
            pending_commit, did, AuthorIdentity(self._consumer.verifier.dids.cached_document(did))
        )
        if isinstance(result, IdentityLookup):
            self._lookups.hold(did, pending_commit, result)
            return NOTHING
        return result

    async def _evaluate(
        self, pending_commit: PendingCommit, did: Did, identity: AuthorIdentity
    ) -> FrameResult | IdentityLookup:
        result = await read_message(
            self._consumer.verifier, pending_commit.message, lambda: self._state_of(did), identity, sender=self._sender
        )
        if isinstance(result, FrameResult) and result.state is not None:
            self._known[did] = result.state
        return result

    def _on_verified(self, pending_commit: PendingCommit, did: Did, result: FrameResult) -> None:
        self._verified_late.append((pending_commit, did, result))
        self._has_work.set()

    def _on_crash(self, error: BaseException) -> None:
        self._crash = error
        self._has_work.set()

    def _read_later(self, did: Did, dropped: int, why: Explanation) -> None:
        """Mark an author's repository to be read later, because their key cannot be resolved; the stream continues."""
        consumer = self._consumer
        log.warning("identity.unreachable", did=did, source=self._url, reason=str(why))
        forgotten = consumer.unresolved.add(did, self._url, why, consumer.clock.now())
        consumer.metrics.repositories_forgotten.inc(forgotten)
        consumer.metrics.repositories_unresolved.set(len(consumer.unresolved))
        consumer.metrics.frames_dropped.inc(dropped)
        self._has_work.set()

    def _is_dropped(self, did: str) -> bool:
        if did not in self._consumer.unresolved:
            return False
        self._consumer.metrics.frames_dropped.inc()
        return True

    async def _state_of(self, did: Did) -> AccountState:
        while (state := self._known.get(did)) is None:
            try:
                async with self._consumer.db.reader() as reader:
                    return await cursors.account_state_of(reader, did)
            except Unavailable as away:
                log.warning("source.waits_for_store", source=self._url, reason=away.why)
                await self._consumer.sleep(SAVE_SECONDS)
        return state

    def _finished(self) -> list[_Item]:
        batch: list[_Item] = []
        for item in self._pending:
            if not item.reading.done() or len(batch) == BATCH:
                break
            batch.append(item)
        return batch

    async def _deliver(self, batch: Sequence[_Item], late: Sequence[tuple[PendingCommit, Did, FrameResult]]) -> None:
        reads = [(pending_commit.seq, did, pending_commit.frame, result) for pending_commit, did, result in late]
        reads += [(item.seq, Did(item.did), item.frame, item.reading.result()) for item in batch]
        account_states: dict[str, AccountState] = {}
        refused: list[RejectedFrame] = []
        messages: list[RecordMessage | Hint] = []
        for seq, did, frame, result in reads:
            if result.refusal is not None:
                refused.append(RejectedFrame(self._url, seq or None, did or None, result.refusal.reason, frame))
                self._consumer.metrics.frames_rejected.inc()
                log.warning("frame.rejected", source=self._url, seq=seq, did=did, **result.refusal.log_fields())
            if result.state is not None:
                account_states[did] = _newer(account_states.get(did), result.state)
                if result.state.last_head is not None:
                    self._consumer.interests.followed.add(did)
            messages += result.messages
        await deliver(self._consumer.tenant_queues, self._consumer.interests, messages)
        for _ in late:
            self._verified_late.popleft()
        for _ in batch:
            item = self._pending.popleft()
            if self._last_of_did.get(item.did) is item.reading:
                del self._last_of_did[item.did]
        if batch:
            self._advance(self._position.last_seq if not self._pending else batch[-1].seq)
        await self._save(account_states, refused)

    def _advance(self, seq: int) -> None:
        """Move the cursor: all frames up to ``seq`` are done, except those in lookups."""
        late = [pending_commit.seq for pending_commit, _, _ in self._verified_late]
        lowest = self._lookups.lowest_seq
        reach = min([seq, *(one - 1 for one in [*late, *([] if lowest is None else [lowest])])])
        if reach > (self._cursor or 0):
            self._cursor = reach

    async def _save_skipped(self) -> None:
        if self._cursor != self._stored or self._connection.is_changed or self._consumer.unresolved.is_changed:
            await self._save({}, ())

    async def _save(self, account_states: Mapping[str, AccountState], refused: Sequence[RejectedFrame]) -> None:
        """Store the cursor, and what was read before it. Retry until the database has stored both. Meanwhile the buffer
        fills up and reading stops: these frames are not sent again, so an author might otherwise not be followed.
        """
        while not await self._try_to_save(account_states, refused):
            await self._consumer.sleep(SAVE_SECONDS)

    async def _try_to_save(self, account_states: Mapping[str, AccountState], refused: Sequence[RejectedFrame]) -> bool:
        cursor, unresolved = self._cursor, self._consumer.unresolved
        stored = unresolved.snapshot()
        try:
            async with self._consumer.db.transaction() as tx:
                # Saved in the same transaction as the cursor, because frames that were dropped before the cursor must
                # be read later.
                await unresolved.save(tx)
                if cursor is not None:
                    await cursors.advance(tx, self._url, cursor, account_states, refused)
                connection = await self._connection.save(tx)
        except Unavailable as away:
            log.error("cursor.save_failed", source=self._url, reason=away.why)
            return False
        unresolved.saved(stored)
        self._stored = cursor
        self._connection.saved(connection)
        if cursor is not None:
            self._consumer.metrics.cursor.labels(self._url).set(cursor)
        return True

    async def _receive_unsequenced(self, frame: bytes) -> bool:
        """Handle an error, a notice, or an unknown frame type; returns True if following has ended."""
        try:
            message = decode(frame)
        except Malformed as wrong:
            self._reject_at_once(frame, refusal_of(wrong))
            return False
        match message:
            case ErrorFrame(error, why):
                log.error("source.error_received", source=self._url, error=error, message=why)
                if error != "FutureCursor":
                    return False
                # Waiting does not help, and silently resetting the cursor would lose frames. Either the server has lost
                # the frames up to our cursor, or this is a different stream under the same name.
                async with self._consumer.db.transaction() as tx:
                    await cursors.set_state(tx, self._url, SourceState.STOPPED, FirehoseReason.CURSOR_UNKNOWN())
                return True
            case InfoMessage(name, why):
                log.warning("source.notice_received", source=self._url, name=name, message=why)
                if name == "OutdatedCursor":
                    self._note_gap(GapCause.OUTDATED_CURSOR)
            case _:
                pass
        return False

    def _on_lost(self, failure: Failure | None, seconds: float) -> None:
        reason = self._connection.lost(failure)
        log.warning("source.lost", source=self._url, reason=str(reason), again_in_seconds=round(seconds, 1))


async def _refused(refusal: FrameRefusal) -> FrameResult:
    return FrameResult(refusal=refusal)


def _newer(one: AccountState | None, other: AccountState) -> AccountState:
    """Return the account state with the higher rev, because looked-up commits arrive out of order."""
    if (
        one is None
        or one.last_head is None
        or (other.last_head is not None and other.last_head.rev >= one.last_head.rev)
    ):
        return other
    return one


# Three hours of the whole network, and more than any single server numbers in a day.
MAX_JUMP = 10_000_000
# 2020-01-01. Some servers number by their clock, in microseconds, so their numbers jump whenever nothing was written
# for a while.
_NUMBERED_BY_CLOCK_FROM = 1_577_836_800_000_000


def is_far(last: int, seq: int, now: Instant) -> bool:
    """Whether a number is further beyond the last one than a server gets in a day; ``last`` is 0 if there was none."""
    if not last or seq - last <= MAX_JUMP:
        return False
    return last < _NUMBERED_BY_CLOCK_FROM or seq > now + MINUTE


def is_jump(last: int, seq: int, now: Instant, *, refused: int | None) -> bool:
    """Whether a sequence number is too far beyond the last one to be accepted at once. It is accepted if the previous
    connection was ended because of a number near it (``refused``).
    """
    return is_far(last, seq, now) and (refused is None or abs(seq - refused) > MAX_JUMP)
