"""Follow one Jetstream server. It sends the same changes as a relay, but as unsigned JSON.

- Lines are trusted only in part: the record must have the CID that the line states, and it counts as unverified
  (``records.seen``), so it never overrides a signed one without proof.
- The cursor moves only past confirmed messages. Servers number lines by the clock and cannot resume exactly, so each
  connection rewinds a few seconds. Repeating lines is harmless.
- A cursor in the future is ignored: resuming there, a server would send only new lines and never the missed ones. The
  line is processed, and the stored cursor stays.
- If nothing was received for longer than the server's backlog, there is a gap that no line reports, because Jetstream
  has no ``#sync``. When the next line arrives, a read of every followed repository is enqueued.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from at_network.event_stream import reconnecting
from at_network.jetstream_stream import Unpack, read_lines, subscribe_url
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.sync import jetstream
from at_protocol.sync.events import RecordAction
from at_protocol.sync.jetstream import FIRST_TIME_CURSOR, JetstreamAccount, JetstreamCommit, JetstreamIdentity
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import HOUR, MINUTE, SECOND, Instant
from groundwork.errors import Failure, Unavailable
from groundwork.telemetry.logs import log
from openmeet.network.firehose import cursors, tenant_interests
from openmeet.network.firehose.cursors import RejectedFrame
from openmeet.network.firehose.delivery import deliver
from openmeet.network.firehose.following import (
    BATCH,
    MAX_PENDING,
    SAVE_SECONDS,
    Consumer,
    follow_until,
    report_of_source,
)
from openmeet.network.firehose.reasons import FrameRefusal, refusal_of
from openmeet.network.records.collections import CONCERNING
from openmeet.network.records.message import GapCause, Hint, HintKind, RecordMessage, RecordOperation

# How far a time-based cursor is rewound, in microseconds.
REWIND = 5 * SECOND
# Maximum clock difference between two servers. If a later time were stored, it would hide every gap from then on.
MAX_AHEAD = 5 * MINUTE
# The backlog of the public servers.
MEMORY = 36 * HOUR


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """The parsed content of one line: a ``message`` for the queue, the reason why it was refused, or neither."""

    cursor: int
    message: RecordMessage | Hint | None = None
    refusal: FrameRefusal | None = None
    raw: bytes = b""


def read_line(text: str | bytes) -> ParsedLine | None:
    """Parse a line; None if its kind is skipped. An invalid line gets a ``refusal``."""
    raw = text.encode() if isinstance(text, str) else text
    try:
        event = jetstream.read(text)
        match event:
            case None:
                return None
            case JetstreamCommit():
                return ParsedLine(event.cursor, _message(event), raw=raw)
            case JetstreamIdentity():
                return ParsedLine(
                    event.cursor, Hint(event.did, HintKind.IDENTITY, event.handle or "", event.cursor), raw=raw
                )
            case JetstreamAccount():
                status = "active" if event.active else event.status or "inactive"
                return ParsedLine(event.cursor, Hint(event.did, HintKind.ACCOUNT, status, event.cursor), raw=raw)
    except Malformed as wrong:
        return ParsedLine(0, refusal=refusal_of(wrong), raw=raw)


def _message(event: JetstreamCommit) -> RecordMessage:
    is_delete = event.action is RecordAction.DELETE
    body = None if is_delete or event.record is None else cbor.encode(event.record)
    if body is not None and Cid.for_cbor(body) != event.cid:
        raise Malformed("jetstream", str(event.cid), "the CID is not the record’s")
    return RecordMessage(
        did=event.did,
        collection=event.collection,
        rkey=event.rkey,
        rev=parse_tid(event.rev),
        operation=RecordOperation(event.action.value),
        cid=None if event.cid is None else str(event.cid),
        body=body,
        is_verified=False,
    )


async def follow_jetstream(consumer: Consumer, url: str, stop: asyncio.Event, *, unpack: Unpack | None = None) -> None:
    """Follow one server from its stored cursor until ``stop`` is set. A new server is read from the present on."""
    async with consumer.db.transaction() as tx:
        cursor = await cursors.add_source(tx, url)
        seen_at = await cursors.seen_at(tx, url)
    await follow_until(stop, _Lines(consumer, url, cursor, seen_at, unpack), url)


class _Lines:
    """The Jetstream server being followed."""

    def __init__(
        self, consumer: Consumer, url: str, cursor: int | None, received_at: Instant | None, unpack: Unpack | None
    ) -> None:
        self._consumer = consumer
        self._url = url
        self._cursor = cursor  # all messages up to this cursor are confirmed
        self._stored = cursor
        self._received_at = (
            received_at  # when a line was last received, in this process or an earlier one; None if never
        )
        self._unpack = unpack
        # When this is full, the queue is unreachable or slow, and reading stops.
        self._pending: asyncio.Queue[ParsedLine] = asyncio.Queue(MAX_PENDING)
        self._connection = report_of_source(url)

    async def _note_received(self) -> None:
        """Note that a line was received. If the server's backlog does not reach back to the previous line, enqueue a
        read of all repositories first.
        """
        now, since = self._consumer.clock.now(), self._received_at
        if since is not None and now - since > MEMORY:
            followed = cursors.all_followed_dids(self._consumer.interests)
            log.warning("source.gap", source=self._url, repositories=len(followed), not_heard_since=since)
            hints = cursors.read_requests(followed, GapCause.NOT_HEARD, now)
            await deliver(self._consumer.tenant_queues, self._consumer.interests, hints)
        self._received_at = now

    async def read(self) -> None:
        """Receive lines, over as many connections as needed."""
        consumer = self._consumer
        again = reconnecting(
            consumer.clock, self._connect, backoff=consumer.backoff, on_lost=self._on_lost, sleep=consumer.sleep
        )
        async with aclosing(again) as lines:
            async for text in lines:
                consumer.metrics.frames_looked_at.inc()
                await self._note_received()
                line = read_line(text)
                if line is not None and self._is_wanted(line):
                    await self._pending.put(line)

    def _connect(self) -> AsyncGenerator[str | bytes, None]:
        cursor = self._cursor
        if cursor is not None and cursor >= FIRST_TIME_CURSOR:
            cursor -= REWIND
        # Identity and account events are sent regardless of the requested collections.
        query = jetstream.subscribe_query(collections=sorted(CONCERNING), cursor=cursor)
        return read_lines(
            self._consumer.http, subscribe_url(self._url, query), self._unpack, on_open=self._connection.opened
        )

    def _is_wanted(self, line: ParsedLine) -> bool:
        match line.message:
            case RecordMessage(collection=collection):
                return collection in CONCERNING
            case Hint(did=did):
                interests = self._consumer.interests
                return did in interests.followed or did in interests.dids
            case None:
                return True

    async def drain(self) -> None:
        """Publish received lines in order, and move the cursor past them."""
        while True:
            batch: list[ParsedLine] = []
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVE_SECONDS):
                    batch.append(await self._pending.get())
            while len(batch) < BATCH and not self._pending.empty():
                batch.append(self._pending.get_nowait())
            messages = [line.message for line in batch if line.message is not None]
            await deliver(self._consumer.tenant_queues, self._consumer.interests, messages)
            authors = {message.did for message in messages if isinstance(message, RecordMessage)}
            refused = []
            for line in batch:
                if line.refusal is not None:
                    refused.append(RejectedFrame(self._url, None, None, line.refusal.reason, line.raw))
                    self._consumer.metrics.frames_rejected.inc()
                    log.warning("line.rejected", source=self._url, **line.refusal.log_fields())
            # Lines of the same commit share a cursor, and a refused line may have none.
            latest = self._consumer.clock.now() + MAX_AHEAD
            self._cursor = max((line.cursor for line in batch if 0 < line.cursor <= latest), default=self._cursor)
            await self._save(authors, refused)

    async def _save(self, authors: set[Did], refused: list[RejectedFrame]) -> None:
        """Store the cursor, and whose lines were read before it. Retry until the database has stored both. Meanwhile the
        buffer fills up and reading stops: these lines are not sent again, so an author might otherwise not be followed.
        """
        interests = self._consumer.interests
        fresh = {did for did in authors if did not in interests.followed and did not in interests.dids}
        if self._cursor == self._stored and not self._connection.is_changed and not refused and not fresh:
            return
        while not await self._try_to_save(fresh, authors - fresh, refused):
            await self._consumer.sleep(SAVE_SECONDS)
        interests.followed.update(fresh)

    async def _try_to_save(self, fresh: set[Did], known: set[Did], refused: list[RejectedFrame]) -> bool:
        try:
            async with self._consumer.db.transaction() as tx:
                # Jetstream has no chains of commits. After a restart, only these rows show which accounts to follow.
                tenants = sorted(self._consumer.interests.all_tenants)
                await tenant_interests.add(tx, [(tenant, "did", did) for tenant in tenants for did in sorted(fresh)])
                await tenant_interests.note_seen(tx, tenants, known)
                await cursors.advance_jetstream(tx, self._url, self._cursor, refused)
                connection = await self._connection.save(tx)
        except Unavailable as away:
            log.error("cursor.save_failed", source=self._url, reason=away.why)
            return False
        self._stored = self._cursor
        self._connection.saved(connection)
        if self._cursor is not None:
            self._consumer.metrics.cursor.labels(self._url).set(self._cursor)
        return True

    def _on_lost(self, failure: Failure | None, seconds: float) -> None:
        reason = self._connection.lost(failure)
        log.warning("source.lost", source=self._url, reason=str(reason), again_in_seconds=round(seconds, 1))
