"""Which dates of a series owe a record, by its policy: the next that takes place, all that are stored, none.

What was published stays as history, unless the series publishes nothing. Whoever calls this holds the lock on the series.
"""

from typing import Final

from groundwork.clock import DAY
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events import series_dates
from openmeet.domain.events.differing import STARTS
from openmeet.domain.events.queries import COLUMNS, event_of
from openmeet.feature_flags.model import Flag
from openmeet.feature_flags.queries import switches
from openmeet.outbox import publications

# No event takes longer (``rules.LONGEST``): what began before this is over, and the index need not be read from its beginning.
_UNDER_WAY: Final = 367 * DAY
# More are not stored ahead; who opens each date of a century by hand is not waited for.
_MOST_APART: Final = 1000

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
    """See that exactly those coming dates owe a record which the series' policy publishes; how many that changed.

    A series that is kept elsewhere, or that nobody has confirmed, has no word in that.
    """
    row = await tx.fetch_one(
        "select publication_policy from event_series where id = :id and is_read_only = 0", id=series_id
    )
    if row is None:
        return 0
    rows = await tx.fetch(
        f"select {COLUMNS} from events where {_COMING} and ({_WRONG[row['publication_policy']]}) order by starts_at, id",
        series_id=series_id,
        since=tx.now - _UNDER_WAY,
        now=tx.now,
    )
    await series_dates.let_owe_records(tx, [event_of(row) for row in rows])
    if Flag.NATIVE_RECURRENCE in await switches(tx):
        # The rule in the record that stands for the series leaves out what is called off, moved or a record of its own.
        await look_at_published(tx, series_id)
    return len(rows)


async def look_at_published(tx: Transaction, series_id: str) -> None:
    """The rule or the page of a series has changed: what its published dates say of it is written anew."""
    rows = await tx.fetch(
        f"select id from events where {_COMING} and (record_uri is not null or owes_record = 1) order by starts_at, id",
        series_id=series_id,
        since=tx.now - _UNDER_WAY,
        now=tx.now,
    )
    await publications.look_again(
        tx, kind=publications.Kind.EVENT, subject_ids=[row["id"] for row in rows], is_edit=True
    )


async def next_date(reader: Reader, series_id: str) -> str | None:
    """The event of the next date that takes place: whose record stands for the series, by its policy."""
    row = await reader.fetch_one(_NEXT, series_id=series_id, since=reader.now - _UNDER_WAY, now=reader.now)
    return None if row is None else row["id"]


async def names_apart(reader: Reader, series_id: str, *, since: str) -> list[str]:
    """The names of stored dates after this one that the rule does not speak for: called off, gone, moved, or with a record."""
    rows = await reader.fetch(
        f"select {COLUMNS} from events where series_id = :series_id and original_date > :since"
        " order by original_date limit :limit",
        series_id=series_id,
        since=since,
        limit=_MOST_APART,
    )
    places = [(one, one.place_in_series) for one in map(event_of, rows)]
    return [
        place.original_date
        for one, place in places
        if place is not None
        and (one.is_cancelled or one.is_gone or one.owes_record or one.record_uri or STARTS in place.overridden)
    ]


async def owe_around(tx: Transaction, slug: str) -> None:
    """``owe_by_policy`` for the series that an event is a date of, if it is one: something was changed at that date alone."""
    row = await tx.fetch_one("select series_id from events where slug = :slug", slug=slug)
    if row is not None and row["series_id"] is not None:
        await owe_by_policy(tx, row["series_id"])
