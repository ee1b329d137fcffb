"""Which dates of a series owe a record, by its policy: the next that takes place, all that are stored, none.

What was published stays as history, unless the series publishes nothing. Whoever calls this holds the lock on the series.
"""

from typing import Final

from groundwork.clock import DAY
from groundwork.database.transaction import Transaction
from openmeet.events import dates
from openmeet.events.queries import COLUMNS, event_of

# No event takes longer (``rules.LONGEST``): what began before this is over, and the index need not be read from its beginning.
_UNDER_WAY: Final = 367 * DAY

_COMING = """series_id = :series_id and starts_at > :since and deleted_at is null and removed_at is null
         and (over_at is null or over_at > :now)"""
_NEXT = f"select id from events where {_COMING} and status <> 'cancelled' order by starts_at, id limit 1"

# By policy: which coming dates are to owe a record, and which that do so are not to.
_WRONG: Final = {
    "next": f"(owes_record = 0 and id in ({_NEXT})) or (owes_record = 1 and record_uri is null and id not in ({_NEXT}))",
    "window": "owes_record = 0",
    "none": "owes_record = 1",
}


async def owe_by_policy(tx: Transaction, series_id: str) -> int:
    """See that exactly those coming dates owe a record which the series' policy publishes; how many that changed."""
    row = await tx.fetch_one("select publication_policy from event_series where id = :id", id=series_id)
    if row is None:
        return 0
    rows = await tx.fetch(
        f"select {COLUMNS} from events where {_COMING} and ({_WRONG[row['publication_policy']]}) order by starts_at, id",
        series_id=series_id,
        since=tx.now - _UNDER_WAY,
        now=tx.now,
    )
    await dates.let_owe_records(tx, [event_of(row) for row in rows])
    return len(rows)


async def owe_around(tx: Transaction, slug: str) -> None:
    """``owe_by_policy`` for the series that an event is a date of, if it is one: something was changed at that date alone."""
    row = await tx.fetch_one("select series_id from events where slug = :slug", slug=slug)
    if row is not None and row["series_id"] is not None:
        await owe_by_policy(tx, row["series_id"])
