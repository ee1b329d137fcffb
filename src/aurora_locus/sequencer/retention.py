"""Retention of events: a time window. Older events are deleted in short transactions."""

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Writer

# Deleting this many rows keeps SQLite's single writer busy for only a few milliseconds.
BATCH = 2_000

# Events are ordered by time except where clocks were set back. The lowest numbers are checked first, so that an event
# is never deleted before one with a lower number.
_OLDEST = "select seq, sequenced_at from events order by seq limit :limit"
_ENDS = """
    select s.retired_up_to, (select min(seq) from events) as first, (select max(seq) from events) as last
      from sequencer s where s.id = 1
"""
_FROM = "select seq, sequenced_at from events where seq >= :seq order by seq limit 1"
_DELETE = "delete from events where seq <= :border"
_NOTE = "update sequencer set retired_up_to = :border where id = 1 and retired_up_to < :border"


async def last_expired_number(db: Database, window_starts_at: Instant) -> int:
    """Return the number of the last event that cannot be replayed, because it is older than the window or deleted. 0 if
    all can.

    The window moves with time, and deletion follows it. This is a binary search over numbers, which follow time except
    where clocks were set back.
    """
    async with db.reader() as reader:
        row = await reader.fetch_one(_ENDS)
        if row is None:
            return 0
        number: int = row["retired_up_to"]
        if row["first"] is None:
            return number
        # Everything up to ``low`` is older than the window, and nothing above ``high`` is.
        low, high = row["first"] - 1, row["last"]
        while low < high:
            middle = (low + high + 1) // 2
            middle_row = await reader.fetch_one(_FROM, seq=middle)
            if middle_row is not None and middle_row["sequenced_at"] < window_starts_at:
                low = middle_row["seq"]
            else:
                high = middle - 1
        return max(number, low if low >= row["first"] else 0)


async def retire(db: Database, older_than: Instant) -> int:
    """Delete events sequenced before an instant, and store the last number. Return how many events were deleted."""
    removed_count = 0
    while True:
        amount = await db.write(lambda w: _retire_batch(w, older_than))
        removed_count += amount
        if amount < BATCH:
            return removed_count


def _retire_batch(w: Writer, older_than: Instant) -> int:
    last_number = None
    for row in w.fetch(_OLDEST, limit=BATCH):
        if row["sequenced_at"] >= older_than:
            break
        last_number = row["seq"]
    if last_number is None:
        return 0
    w.execute(_NOTE, border=last_number)
    return w.execute(_DELETE, border=last_number)
