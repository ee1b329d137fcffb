"""One subscriber of the event log: where it starts, how it is fed, when it is let go.

A subscriber is a position in the log and nothing else: no queue of its own, so its memory does not grow. While the
position lies below the ring it is fed pages from the database, from the ring afterwards; both give exactly the events above
the position in order, so the seam has neither gap nor duplicate. Once live, whoever falls out of the ring is told
``ConsumerTooSlow`` and can come back with its cursor. While the store is away reading is tried again; the position has
not moved, so what comes then has neither gap nor duplicate.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from at_protocol.sync import events
from aurora_locus.sequencer import queries, retention
from aurora_locus.sequencer.live import Live
from aurora_locus.sequencer.patience import read_patiently
from groundwork.clock import Instant
from groundwork.database.transaction import Database
from groundwork.errors import Unavailable

PAGE = 1000
# Frames sent in one go before other tasks get their turn.
BURST = 200
# How long a subscriber that stopped reading may take to accept its last frame before the connection is cut.
FAREWELL_SECONDS = 10.0

_OUTDATED = events.encode(events.InfoMessage("OutdatedCursor", "Events right after your cursor are no longer kept."))

Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class StreamError:
    """Why the stream ends: the error frame's name and sentence, and the code with which the socket is closed.

    RFC 6455 7.4.1: 1008, the policy of the endpoint was violated; the reference closes with it after an error frame.
    """

    error: str
    message: str
    code: int = 1008


# 1013, try again later (the registry of RFC 6455 11.7).
AWAY = StreamError("NotEnoughResources", "The store does not answer; come back with your cursor to go on.", 1013)
TOO_SLOW = StreamError("ConsumerTooSlow", "You fell behind the stream; come back with your cursor to go on.")


class StreamSubscription:
    """A subscriber with its position, as shown to the operator."""

    def __init__(self, position: int, *, is_live: bool, peer: str) -> None:
        self.position = position
        self.is_live = is_live
        self.peer = peer
        self.expelled = asyncio.Event()
        self.why = TOO_SLOW

    def expel(self) -> None:
        """Called by the ring when it has dropped what this subscriber has not seen."""
        self.expelled.set()

    def lose(self) -> None:
        """Called when what comes next cannot be read for so long that a closed socket is kinder than silence."""
        self.why = AWAY
        self.expelled.set()


def parse_cursor(texts: Sequence[str]) -> int | StreamError | None:
    """The cursor as sent, each time that it was. An empty one is none, and a negative one asks for everything, as the reference has it."""
    if len(texts) > 1:
        return StreamError("InvalidRequest", "The cursor can be given once.")
    text = texts[0] if texts else ""
    if not text:
        return None
    # 2^53 bounds every sequence number, and bounds the work of reading one.
    digits = text.removeprefix("-")
    if len(digits) > 16 or not digits.isascii() or not digits.isdigit() or int(digits) >= 1 << 53:
        return StreamError("InvalidRequest", "The cursor must be a sequence number, a whole one.")
    return max(int(text), 0)


async def follow(
    db: Database,
    live: Live,
    cursor: int | None,
    peer: str,
    send: Send,
    *,
    window_starts_at: Instant = Instant(0),  # noqa: B008 - a value
) -> StreamError:
    """Feed a subscriber until it is refused; ends otherwise only by cancellation or by what ``send`` raises.

    A cursor before the window is told so and starts with it. Whoever asks for everything (0) starts there as well, and is
    told nothing.
    """
    if cursor is not None and cursor > live.ring.head:
        return StreamError("FutureCursor", f"The cursor is ahead of this stream, whose last event is {live.ring.head}.")
    subscription = StreamSubscription(live.ring.head if cursor is None else cursor, is_live=cursor is None, peer=peer)
    try:
        if cursor is not None:
            border = await read_patiently(lambda: retention.border_before(db, window_starts_at))
            if 0 < cursor < border:
                await send(_OUTDATED)
            subscription.position = max(cursor, border)
    except Unavailable:
        return AWAY
    live.listeners.add(subscription)
    feeding = asyncio.create_task(_feed(db, live, subscription, send))
    expelled = asyncio.create_task(subscription.expelled.wait())
    try:
        await asyncio.wait({feeding, expelled}, return_when=asyncio.FIRST_COMPLETED)
        if feeding.done():
            feeding.result()
    except Unavailable:
        return AWAY
    finally:
        live.listeners.discard(subscription)
        feeding.cancel()
        expelled.cancel()
        await asyncio.gather(feeding, expelled, return_exceptions=True)
    return subscription.why


async def _feed(db: Database, live: Live, subscription: StreamSubscription, send: Send) -> None:
    """Send everything above the position, for ever; returns when a live subscriber has fallen out of the ring."""
    ring = live.ring
    while True:
        batch = ring.after(subscription.position, BURST)
        if batch is None:
            if subscription.is_live:
                return
            # Taken before the page is read: whatever the page then lacks up to here does not exist.
            floor = ring.floor
            position = subscription.position
            batch = await read_patiently(lambda position=position: queries.page(db, position, PAGE))  # type: ignore[misc]  # a default binds it now
            if not batch:
                subscription.position = floor
                continue
        elif not batch:
            subscription.is_live = True
            await live.wait(subscription.position)
            continue
        for seq, frame in batch:
            await send(frame)
            subscription.position = seq
        await asyncio.sleep(0)
