"""How long events can be replayed: a window of time, kept by removing what is older, in short transactions."""

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Writer

# A deletion of this many rows keeps the one writer of SQLite for some milliseconds, no longer.
BATCH = 2_000

# Events are in the order of their time but for clocks that were set back; the oldest ones by number are looked at first,
# so that an event never goes before one with a lower number.
_OLDEST = "select seq, sequenced_at from events order by seq limit :limit"
_DELETE = "delete from events where seq <= :border"
_NOTE = "update sequencer set retired_up_to = :border where id = 1 and retired_up_to < :border"


async def retire(db: Database, older_than: Instant) -> int:
    """Remove events sequenced before an instant, remember how far that went; the number of events removed."""
    removed = 0
    while True:
        amount = await db.write(lambda w: _retire_batch(w, older_than))
        removed += amount
        if amount < BATCH:
            return removed


def _retire_batch(w: Writer, older_than: Instant) -> int:
    border = None
    for row in w.fetch(_OLDEST, limit=BATCH):
        if row["sequenced_at"] >= older_than:
            break
        border = row["seq"]
    if border is None:
        return 0
    w.execute(_NOTE, border=border)
    return w.execute(_DELETE, border=border)
