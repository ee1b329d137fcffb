"""Follow the labelers that a tenant chose. Their labels are verified and stored in the tenant's own database.

- A label counts if its source is the labeler that we subscribed to, and if it is signed with the key in that labeler's
  DID document. Other labels are counted and skipped; they do not stop the stream.
- Labels and the labeler's cursor are stored in one transaction. Labels that are sent again after a crash change
  nothing, because they are not newer than the stored ones.
- If there are several labels with the same subject and value, the one with the newest signed time counts, regardless
  of the order of arrival.
- Labels on accounts and events are stored. Labels on the rest of the network, which are the majority, are skipped
  without verification.
- While the labeler's key cannot be resolved, reading waits: nothing is dropped.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from prometheus_client import Counter

from at_network.did_resolver import DidResolver
from at_network.event_stream import Backoff, read_frames, reconnecting, stream_url
from at_protocol.crypto.did_key import PublicKey
from at_protocol.failures import Malformed
from at_protocol.sync import labels as signed
from at_protocol.sync.frames import ErrorFrame, Frame, decode
from at_protocol.sync.labels import LABEL_KEY, LABELER_SERVICE, LABELER_TYPE, SUBSCRIBE_LABELS, SignedLabel
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import MINUTE, Clock, Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Explanation, Failure, RemoteFailed, Unavailable, reason_of
from groundwork.http.client import HttpClient
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.events import event_records
from openmeet.domain.events.publication import notify_webhooks
from openmeet.domain.moderation import labels
from openmeet.domain.moderation.labels import NetworkLabel
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.firehose.following import ConnectionReport, ConnectionState, follow_until
from openmeet.network.firehose.reasons import FirehoseReason
from openmeet.network.records.collections import EVENTS

MAX_PENDING = 1_000
# Frames per transaction, which may last two seconds.
BATCH = 100
# Maximum clock difference between two servers. A label from far in the future could never be negated.
MAX_AHEAD = 5 * MINUTE
EXPIRY_SECONDS = 60.0
# PostgreSQL indexes allow keys of up to 2,700 bytes; the DIDs and record keys of the network have only a few dozen
# each.
MAX_SUBJECT_BYTES = 1_500


@dataclass(frozen=True, slots=True)
class LabelerContext:
    """Dependencies for reading a tenant's labelers. ``sleep``: the event loop's function, or a replacement in tests."""

    db: Database
    http: HttpClient
    clock: Clock
    dids: DidResolver
    counter: Counter
    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def counter_of(metrics: Metrics) -> Counter:
    """Register the counter, once per program. ``outcome``: kept, known, refused, elsewhere."""
    return metrics.counter("labels", "Labels received from labelers", ["outcome"])


async def follow_labelers(labelling: LabelerContext, labeler_dids: Sequence[str], stop: asyncio.Event) -> None:
    """Follow these labelers until ``stop`` is set, and delete labels of labelers that are no longer in the settings."""
    async with labelling.db.transaction() as tx:
        dropped = await labels.drop_others(tx, labeler_dids)
    works = [_delete_labels(labelling, one, stop) for one in dropped]
    if labeler_dids:
        works += [follow_labeler(labelling, parse_did(one), stop) for one in dict.fromkeys(labeler_dids)]
        works.append(_expire_by_the_clock(labelling, stop))
    await asyncio.gather(*works)


async def follow_labeler(labelling: LabelerContext, did: Did, stop: asyncio.Event) -> None:
    """Follow one labeler from its stored cursor until it no longer recognizes that cursor."""
    async with labelling.db.transaction() as tx:
        cursor = await labels.add_labeler(tx, did)
    await follow_until(stop, _LabelerStream(labelling, did, cursor), did)


async def expire_due(labelling: LabelerContext) -> int:
    """Remove all labels that have expired, and notify webhooks of their events. Returns how many subjects changed."""
    expired = 0
    while True:
        async with labelling.db.transaction() as tx:
            subjects = await labels.expire(tx)
            await _notify_webhooks(tx, subjects)
        expired += len(subjects)
        if not subjects:
            return expired


async def _expire_by_the_clock(labelling: LabelerContext, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await expire_due(labelling)
        except Unavailable as away:
            log.warning("labels.expiry_waits", reason=away.why)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EXPIRY_SECONDS):
                await stop.wait()


async def _delete_labels(labelling: LabelerContext, did: str, stop: asyncio.Event) -> None:
    """Delete a labeler's labels in batches, because there may be too many for one transaction."""
    is_more = True
    while is_more:
        try:
            async with labelling.db.transaction() as tx:
                is_more = await labels.forget_some(tx, did)
        except Unavailable as away:
            log.warning("labels.forgetting_waits", labeler=did, reason=away.why)
            await labelling.sleep(labelling.backoff.first_seconds)
        if is_more and stop.is_set():
            return
    log.info("labeler.forgotten", labeler=did)


async def _notify_webhooks(tx: Transaction, subjects: Sequence[str]) -> None:
    """Enqueue notifications to webhook subscribers of these events."""
    for uri in sorted(subject for subject in subjects if subject.startswith("at://")):
        event = await event_records.by_record_uri(tx, uri)
        if event is not None and not event.is_gone:
            await notify_webhooks(tx, [event])


class _LabelerStream:
    """The labeler being followed."""

    def __init__(self, labelling: LabelerContext, did: Did, cursor: int) -> None:
        self._labelling = labelling
        self._did = did
        self._cursor = cursor  # labels up to this cursor are stored
        self._connection = ConnectionReport(self._store_state)
        # When this is full, the database is unreachable or slow, and reading stops.
        self._pending: asyncio.Queue[bytes] = asyncio.Queue(MAX_PENDING)

    async def read(self) -> None:
        """Receive frames, over as many connections as needed, until the labeler no longer recognizes our cursor."""
        own = self._labelling
        again = reconnecting(own.clock, self._connect, backoff=own.backoff, on_lost=self._on_lost, sleep=own.sleep)
        async with aclosing(again) as frames:
            async for frame in frames:
                if await self._is_refusal(frame):
                    return
                await self._pending.put(frame)

    async def _connect(self) -> AsyncGenerator[bytes, None]:
        await self._report_connection()
        try:
            document = await self._labelling.dids.resolve(self._did)
        except Failure as unknown:
            raise RemoteFailed(FirehoseReason.LABELER_UNRESOLVED, problem=reason_of(unknown)) from unknown
        service = document.service(LABELER_SERVICE, LABELER_TYPE)
        if service is None:
            raise RemoteFailed(FirehoseReason.NO_LABEL_SERVICE)
        url = stream_url(service, SUBSCRIBE_LABELS, {"cursor": self._cursor})
        async with aclosing(read_frames(self._labelling.http, url, on_open=self._opened)) as frames:
            async for frame in frames:
                yield frame

    async def _is_refusal(self, frame: bytes) -> bool:
        with contextlib.suppress(Malformed):  # ``drain`` counts it
            message = decode(frame)
            if isinstance(message, ErrorFrame):
                log.error("labeler.error_received", labeler=self._did, error=message.error, message=message.message)
                if message.error == "FutureCursor":
                    await self._note(SourceState.STOPPED, FirehoseReason.CURSOR_UNKNOWN())
                    return True
        return False

    async def drain(self) -> None:
        """Store received labels in order, with the cursor."""
        while True:
            batch = [await self._pending.get()]
            while len(batch) < BATCH and not self._pending.empty():
                batch.append(self._pending.get_nowait())
            cursor, received = await self._read(batch)
            await self._keep(cursor, received)

    async def _read(self, batch: Sequence[bytes]) -> tuple[int, list[NetworkLabel]]:
        cursor, received = self._cursor, []
        may_have_new_key = True
        for frame in batch:
            try:
                message = decode(frame)
                if not isinstance(message, Frame) or message.kind != signed.LABELS_FRAME:
                    continue
                seq, labels_sent = signed.labels_in(message)
            except Malformed as wrong:
                self._refuse(str(wrong))
                continue
            if seq <= cursor:
                continue  # will be sent again after a reconnect
            cursor = seq
            for one in labels_sent:
                if not _concerns(signed.subject_of(one)):
                    self._count("elsewhere")
                    continue
                try:
                    label = signed.read_label(one)
                    self._check(label)
                except Malformed as wrong:
                    self._refuse(str(wrong))
                    continue
                is_signed = signed.is_signed_by(label, await self._key(is_new=False))
                if not is_signed and may_have_new_key:
                    may_have_new_key = False
                    is_signed = signed.is_signed_by(label, await self._key(is_new=True))
                if is_signed:
                    received.append(_kept(label))
                else:
                    self._refuse("the label is not signed by the labeler")
        return cursor, received

    def _check(self, label: SignedLabel) -> None:
        if label.source != self._did:
            raise Malformed("label", label.source, f"not of {self._did}, the labeler that was asked")
        if len(label.subject.encode()) > MAX_SUBJECT_BYTES:
            raise Malformed("label", label.subject[:100], f"its subject has more than {MAX_SUBJECT_BYTES} bytes")
        if label.created_at > self._labelling.clock.now() + MAX_AHEAD:
            raise Malformed("label", label.created_at, "from the future")

    async def _key(self, *, is_new: bool) -> PublicKey:
        """Return the labeler's key; waits until it can be resolved."""
        own = self._labelling
        wait = own.backoff.first_seconds
        while True:
            try:
                document = await (own.dids.refresh(self._did) if is_new else own.dids.resolve(self._did))
                key = document.key(LABEL_KEY)
                reason = FirehoseReason.NO_LABEL_KEY()
            except Failure as unknown:
                key, reason = None, FirehoseReason.LABELER_UNRESOLVED(problem=reason_of(unknown))
            if key is not None:
                return key
            own.dids.recheck(self._did)
            log.warning("labeler.no_key", labeler=self._did, reason=str(reason))
            await self._note(SourceState.FAILING, reason)
            await own.sleep(wait)
            wait = min(wait * 2, own.backoff.longest_seconds)

    async def _keep(self, cursor: int, received: Sequence[NetworkLabel]) -> None:
        """Retry until the database has stored the labels. Meanwhile the buffer fills up and reading stops."""
        own = self._labelling
        while True:
            try:
                async with own.db.transaction() as tx:
                    changed = [label.subject for label in received if await labels.put(tx, label)]
                    await _notify_webhooks(tx, list(dict.fromkeys(changed)))
                    await labels.advance(tx, self._did, cursor)
            except Unavailable as away:
                log.error("labels.save_failed", labeler=self._did, reason=away.why)
                await own.sleep(own.backoff.first_seconds)
                continue
            self._cursor = cursor
            self._count("kept", len(changed))
            self._count("known", len(received) - len(changed))
            return

    async def _note(self, state: SourceState, why: Explanation) -> None:
        try:
            async with self._labelling.db.transaction() as tx:
                await labels.set_state(tx, self._did, state.value, why)
        except Unavailable as away:
            log.error("labeler.note_failed", labeler=self._did, reason=away.why)

    def _count(self, outcome: str, number: int = 1) -> None:
        self._labelling.counter.labels(outcome).inc(number)

    def _refuse(self, why: str) -> None:
        self._count("refused")
        log.warning("label.refused", labeler=self._did, reason=why)

    async def _opened(self) -> None:
        """Store that the stream works again, even if the labeler has not sent any labels yet. A previous process may have
        stored a failure. Retry until the database has stored it; labels could not be stored before that either.
        """
        await self._connection.opened()
        while not await self._report_connection():
            await self._labelling.sleep(self._labelling.backoff.first_seconds)

    async def _report_connection(self) -> bool:
        if not self._connection.is_changed:
            return True
        try:
            async with self._labelling.db.transaction() as tx:
                snapshot = await self._connection.save(tx)
        except Unavailable as away:
            log.error("labeler.note_failed", labeler=self._did, reason=away.why)
            return False
        self._connection.saved(snapshot)
        return True

    async def _store_state(self, tx: Transaction, connection: ConnectionState) -> None:
        await labels.set_state(tx, self._did, connection.state.value, connection.reason)

    def _on_lost(self, failure: Failure | None, seconds: float) -> None:
        reason = self._connection.lost(failure)
        log.warning("labeler.lost", labeler=self._did, reason=str(reason), again_in_seconds=round(seconds, 1))


def _concerns(subject: str) -> bool:
    """Whether the label is about an account or an event. Decided from the label's content before it is verified."""
    if subject.startswith("did:"):
        return True
    try:
        return parse_at_uri(subject).collection in EVENTS
    except Malformed:
        return False


def _kept(label: SignedLabel) -> NetworkLabel:
    return NetworkLabel(
        label.source,
        label.subject,
        label.value,
        label.cid or "",
        label.is_negated,
        Instant(label.created_at),
        None if label.expires_at is None else Instant(label.expires_at),
    )
