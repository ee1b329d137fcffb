"""One subscriber of the event log: start position, feeding, disconnection.

A subscriber is a position in the log and has no queue, so its memory does not grow: it holds one page or a few frames of
the ring, both limited in bytes. While the position is below the
ring, it is fed pages from the database, afterwards frames from the ring. Both give exactly the events above the
position in order, so there is neither a gap nor a duplicate at the transition. A live subscriber that falls out of the
ring gets ``ConsumerTooSlow`` and can reconnect with its cursor. During a database outage the read is retried from the
same position.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from at_protocol.sync import events
from aurora_locus.sequencer import queries, retention
from aurora_locus.sequencer.live_events import LiveEvents
from aurora_locus.sequencer.retry import read_with_retry
from groundwork.clock import Instant
from groundwork.database.transaction import Database
from groundwork.errors import Unavailable

# Frames, and their bytes, that are sent in a row before other tasks get their turn. A subscriber that reads slowly keeps
# them in memory meanwhile, even if the ring has dropped them.
BURST = 200
BURST_BYTES = 256 * 1024
# Time in which a stalled subscriber can accept its last frame before the connection is cut.
FAREWELL_SECONDS = 10.0

_OUTDATED = events.encode(
    events.InfoMessage("OutdatedCursor", "The events right after your cursor are no longer available.")
)

Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class StreamError:
    """Why the stream ends: name and message of the error frame, and the close code of the socket.

    RFC 6455 section 7.4.1: 1008 means that a policy of the endpoint was violated. The reference server closes with it
    after an error frame.
    """

    error: str
    message: str
    code: int = 1008


# 1013: try again later (registry of RFC 6455 section 11.7).
AWAY = StreamError("NotEnoughResources", "The database is not available. Reconnect with your cursor to continue.", 1013)
TOO_SLOW = StreamError("ConsumerTooSlow", "You fell behind the stream. Reconnect with your cursor to continue.")


class StreamSubscription:
    """A subscriber with its position, as shown to the operator."""

    def __init__(self, position: int, *, is_live: bool, peer: str) -> None:
        self.position = position
        self.is_live = is_live
        self.peer = peer
        self.expelled = asyncio.Event()
        self.why = TOO_SLOW

    def expel(self) -> None:
        """Disconnect the subscriber. Called by the ring when it has dropped frames that this subscriber has not seen."""
        self.expelled.set()

    def expel_while_unavailable(self) -> None:
        """Disconnect the subscriber. Called when the next events could not be read for so long that the subscriber
        should reconnect.
        """
        self.why = AWAY
        self.expelled.set()


def parse_cursor(texts: Sequence[str]) -> int | StreamError | None:
    """Parse the cursor from all values sent. As in the reference server, an empty value means no cursor, and a negative
    one means everything.
    """
    if len(texts) > 1:
        return StreamError("InvalidRequest", "The cursor can be given only once.")
    text = texts[0] if texts else ""
    if not text:
        return None
    # 2^53 bounds every sequence number, and the work of parsing one.
    digits = text.removeprefix("-")
    if len(digits) > 16 or not digits.isascii() or not digits.isdigit() or int(digits) >= 1 << 53:
        return StreamError("InvalidRequest", "The cursor must be a sequence number (an integer).")
    return max(int(text), 0)


async def follow(
    db: Database,
    live: LiveEvents,
    cursor: int | None,
    peer: str,
    send: Send,
    *,
    window_starts_at: Instant = Instant(0),  # noqa: B008 - a value
) -> StreamError:
    """Feed a subscriber until it is refused; return the reason. Otherwise this ends only by cancellation or by an error
    from ``send``.

    A subscriber with a cursor before the window gets ``OutdatedCursor`` and starts at the beginning of the window. With
    a cursor of 0 (everything) it also starts there, without that message.
    """
    subscription = StreamSubscription(live.buffer.head if cursor is None else cursor, is_live=cursor is None, peer=peer)
    try:
        if cursor is not None:
            if cursor > live.buffer.head:
                # The event may have been sent by another process, and this one has not read it yet.
                last = await read_with_retry(lambda: queries.last_number(db))
                if cursor > last:
                    return StreamError(
                        "FutureCursor", f"The cursor is ahead of this stream, whose last event is {last}."
                    )
            last_expired = await read_with_retry(lambda: retention.last_expired_number(db, window_starts_at))
            if 0 < cursor < last_expired:
                await send(_OUTDATED)
            subscription.position = max(cursor, last_expired)
    except Unavailable:
        return AWAY
    live.listeners.add(subscription)
    feed_task = asyncio.create_task(_feed(db, live, subscription, send))
    expulsion = asyncio.create_task(subscription.expelled.wait())
    try:
        await asyncio.wait({feed_task, expulsion}, return_when=asyncio.FIRST_COMPLETED)
        if feed_task.done():
            feed_task.result()
    except Unavailable:
        return AWAY
    finally:
        live.listeners.discard(subscription)
        feed_task.cancel()
        expulsion.cancel()
        await asyncio.gather(feed_task, expulsion, return_exceptions=True)
    return subscription.why


async def _feed(db: Database, live: LiveEvents, subscription: StreamSubscription, send: Send) -> None:
    """Send everything above the position until cancelled. Return when a live subscriber has fallen out of the ring."""
    buffer = live.buffer
    while True:
        batch = buffer.after(subscription.position, BURST, BURST_BYTES)
        if batch is None:
            if subscription.is_live:
                return
            # Read before the page: if the page lacks an event up to this number, that event does not exist.
            floor = buffer.floor
            position = subscription.position
            page = await read_with_retry(lambda position=position: live.pages.read(db, position))  # type: ignore[misc]  # a default binds it now
            if not page:
                subscription.position = floor
                continue
            with live.pages.held(page):
                await _send_all(page, subscription, send)
            del page  # it must not stay in memory while the next one is read
        elif not batch:
            # What the ring lacks up to its head was purged.
            subscription.position = max(subscription.position, buffer.head)
            subscription.is_live = True
            await live.wait(subscription.position)
        else:
            await _send_all(batch, subscription, send)


async def _send_all(frames: Sequence[tuple[int, bytes]], subscription: StreamSubscription, send: Send) -> None:
    for seq, frame in frames:
        await send(frame)
        subscription.position = seq
    await asyncio.sleep(0)
