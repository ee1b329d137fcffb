"""Queries of the log, one page at a time, so that no reader holds a snapshot for long.

A frame has up to five megabytes, so a page is limited in bytes as well as in frames.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from groundwork.database.transaction import Database

_HEAD = "select last, retired_up_to from sequencer where id = 1"
_TIME_AFTER = """
    select e.sequenced_at from events e where e.seq > :position order by e.seq limit 1
"""
_BOUNDS = "select coalesce(min(seq), 0), coalesce(max(seq), 0) from events"
_COUNTS = "select kind, count(*) as n, min(sequenced_at) as oldest from events group by kind order by kind"
_LISTED = """
    select seq, kind, did, sequenced_at, length(frame) as size from events
     where {clauses} order by seq {direction} limit :limit
"""
_BY_SPAN = """
    select (sequenced_at - cast(:since as bigint)) / cast(:span as bigint) as number, count(*) as n
      from events where seq > :position and sequenced_at >= :since
     group by 1 order by 1
"""
_NUMBERS = "select seq from events where seq > :after and seq <= :up_to"
# Sizes are read without the frames, because both engines store them before the content. The running totals are needed,
# and evaluated, only if not all frames fit: they take as long as reading the frames.
_PAGE = """
    with sizes as (select seq, length(frame) as size from events where seq > :position order by seq limit :limit),
         sums as (select seq, size, sum(size) over (order by seq rows unbounded preceding) as total from sizes)
    select {columns} from events
     where seq > :position
       and seq <= case when (select sum(size) from sizes) <= :max_bytes then 9223372036854775807
                       else (select max(seq) from sums where total <= :max_bytes or total = size) end
     order by seq limit :limit
"""
_FRAMES = _PAGE.format(columns="seq, frame")
_FRAMES_WITH_ACCOUNTS = _PAGE.format(columns="seq, did, frame")

# More than a thousand frames of ordinary size.
MAX_PAGE_BYTES = 8 * 1024 * 1024


async def last_number(db: Database) -> int:
    """Return the number of the last event."""
    async with db.reader() as reader:
        row = await reader.fetch_one(_HEAD)
    return int(row[0]) if row else 0


async def retired_up_to(db: Database) -> int:
    """Return the highest number that retention has removed. A subscriber with a lower cursor has missed events."""
    async with db.reader() as reader:
        row = await reader.fetch_one(_HEAD)
    return int(row[1]) if row else 0


async def page(db: Database, position: int, limit: int, *, max_bytes: int = MAX_PAGE_BYTES) -> list[tuple[int, bytes]]:
    """Return the next events above ``position``, in order: as many as the limits allow, but at least one if there is
    one.
    """
    async with db.reader() as reader:
        rows = await reader.fetch(_FRAMES, position=position, limit=limit, max_bytes=max_bytes)
    return [(row[0], row[1]) for row in rows]


async def page_with_accounts(db: Database, position: int, limit: int) -> list[tuple[int, Did, bytes]]:
    """Return a page as ``page`` does, each event with its account."""
    async with db.reader() as reader:
        rows = await reader.fetch(_FRAMES_WITH_ACCOUNTS, position=position, limit=limit, max_bytes=MAX_PAGE_BYTES)
    return [(row[0], Did(row[1]), row[2]) for row in rows]


async def numbers(db: Database, after: int, up_to: int) -> set[int]:
    """Return the numbers in a range that exist."""
    async with db.reader() as reader:
        rows = await reader.fetch(_NUMBERS, after=after, up_to=up_to)
    return {row[0] for row in rows}


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """An event without its frame. ``size`` is that of the frame, in bytes."""

    seq: int
    kind: str
    did: Did
    at: Instant
    size: int


async def counts(db: Database) -> dict[str, tuple[int, Instant]]:
    """Return the number of stored events of each kind, and when the oldest was sequenced."""
    async with db.reader() as reader:
        rows = await reader.fetch(_COUNTS)
    return {row["kind"]: (int(row["n"]), Instant(row["oldest"])) for row in rows}


async def list_events(db: Database, *, after: int | None, did: str, limit: int) -> list[ListedEvent]:
    """Return events in order: those after ``after``, or the last ones if it is None. Optionally only those of one
    account.
    """
    clauses, parameters = ["1 = 1"], dict[str, object]()
    if after is not None:
        clauses.append("seq > :after")
        parameters["after"] = after
    if did:
        clauses.append("did = :did")
        parameters["did"] = did
    sql = _LISTED.format(clauses=" and ".join(clauses), direction="desc" if after is None else "asc")
    async with db.reader() as reader:
        rows = await reader.fetch(sql, limit=limit, **parameters)
    events = [
        ListedEvent(row["seq"], row["kind"], Did(row["did"]), Instant(row["sequenced_at"]), row["size"]) for row in rows
    ]
    return events[::-1] if after is None else events


async def times_after(db: Database, positions: Iterable[int]) -> dict[int, Instant]:
    """Return when the first event above each position was sequenced. Positions are those of subscribers, so they are
    few.
    """
    times = {}
    async with db.reader() as reader:
        for position in positions:
            row = await reader.fetch_one(_TIME_AFTER, position=position)
            if row is not None:
                times[position] = Instant(row[0])
    return times


async def counts_by_span(db: Database, position: int, since: Instant, span: int) -> dict[int, int]:
    """Count the events above ``position`` in each span of time. A key is the number of whole spans (microseconds)
    between ``since`` and the event; spans without events are left out.
    """
    async with db.reader() as reader:
        rows = await reader.fetch(_BY_SPAN, position=position, since=since, span=span)
    return {int(row["number"]): int(row["n"]) for row in rows}


async def position_at(db: Database, instant: Instant) -> int:
    """Return the number after which the events from ``instant`` on begin. It uses a binary search, because numbers
    follow time.
    """
    async with db.reader() as reader:
        row = await reader.fetch_one(_BOUNDS)
        low, high = (row[0] - 1, row[1]) if row and row[1] else (0, 0)
        while low < high:
            middle = (low + high) // 2
            time = await reader.fetch_one(_TIME_AFTER, position=middle)
            if time is not None and time[0] < instant:
                low = middle + 1
            else:
                high = middle
    return low
