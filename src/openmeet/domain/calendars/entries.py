"""Entries of a person's calendar in one or several windows, read by per-person indexes, never by scanning events.

``hosting``, ``ANSWERS`` and ``CO_HOSTING`` with ``by_key``, and ``subscribed`` are separate queries, each with its own
index. Their number does not depend on the number of windows. An event that a person both hosts and attends is one entry.
Events that the person can no longer see (in groups they left, from hidden repositories, held by a moderator) are left
out.
"""

from collections.abc import Sequence

from groundwork.clock import HOUR, Instant
from groundwork.database.transaction import Reader, Row
from openmeet.domain.calendars.model import WIDEST, CalendarEntry, EntryKind, ExcludedEvent, Span
from openmeet.domain.events.co_host_queries import CO_HOSTED
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.values import Audience, Mode
from openmeet.domain.events.visibility import is_hidden, is_shut_out
from openmeet.domain.users.model import UserId

_EVENT = (
    "e.id, e.slug, e.title, e.mode, e.venue_name, e.locality, e.starts_at, e.ends_at, e.over_at, e.time_zone, e.status,"
    " e.is_all_day, e.place_audience, e.is_draft, e.is_held"
)
_EXISTS = "e.deleted_at is null and e.removed_at is null"
# An event overlaps a window (``_in_windows``).
_OVERLAPS = "e.starts_at < :end{n} and e.over_at > :start{n}"
# The same for events looked up by key. ``+ 0`` prevents the use of the index on starts: with it, PostgreSQL would read
# the starts of a quarter of all events instead of a few hundred rows, which takes twenty times as long with a million
# events.
_OVERLAPS_BY_KEY = "e.starts_at + 0 < :end{n} and e.over_at + 0 > :start{n}"
# An entry of another calendar that ends where the window begins is outside of it, unless its length is zero.
_OVERLAPS_SUBSCRIBED = (
    "d.starts_at < :end{n} and d.ends_at >= :start{n} and (d.ends_at > :start{n} or d.starts_at >= :start{n})"
)

# Maximum number of keys per query.
_AT_ONCE = 1_000

# The start of a window, and its end, which is not part of it.
_Window = tuple[Instant, Instant]


def _in_windows(overlaps: str, windows: int) -> str:
    """SQL condition: an entry overlaps one of the windows. Needs the parameters of ``_parameters``.

    ``start`` and ``end``, which enclose all windows, are the range to be read from an index. The other parameters
    select from it, and a single window does not need them.
    """
    enclosing = overlaps.format(n="")
    if windows == 1:
        return enclosing
    return f"{enclosing} and ({' or '.join(f'({overlaps.format(n=n)})' for n in range(windows))})"


def _parameters(windows: Sequence[_Window]) -> dict[str, object]:
    # No entry is longer than ``WIDEST``, so an entry that is not over began at most this long ago.
    start, end = min(start for start, _ in windows), max(end for _, end in windows)
    parameters: dict[str, object] = {"start": start, "end": end, "earliest": start - WIDEST}
    if len(windows) > 1:
        parameters |= {f"start{n}": start for n, (start, _) in enumerate(windows)}
        parameters |= {f"end{n}": end for n, (_, end) in enumerate(windows)}
    return parameters


def hosting(windows: int) -> str:
    """Events that the person created, in this number of windows."""
    return f"""
    select {_EVENT} from events e
     where e.author_id = :user_id and e.starts_at >= :earliest and {_in_windows(_OVERLAPS, windows)} and {_EXISTS}
     order by e.starts_at, e.id
"""


# Separate queries on purpose: with a join, PostgreSQL would read every event of the month instead of a few hundred by key.
ANSWERS = """
    select event_id, status from attendances
     where user_id = :user_id and status in ('attending', 'attended', 'waitlisted', 'pending', 'interested', 'invited')
     order by event_id
"""
CO_HOSTING = f"{CO_HOSTED} order by h.event_id"


def by_key(windows: int) -> str:
    """Those of the events with these keys that the person may see, in this number of windows."""
    return f"""
    select {_EVENT} from events e
     where e.id in :ids and e.starts_at + 0 >= :earliest and {_in_windows(_OVERLAPS_BY_KEY, windows)} and {_EXISTS}
       and (e.is_held = 0 or e.author_id = :user_id) and not {is_hidden("e")} and not {is_shut_out("e")}
     order by e.starts_at, e.id
"""


def subscribed(windows: int) -> str:
    """Entries of subscribed calendars, in this number of windows."""
    return f"""
    select d.calendar_id, d.number, d.title, d.place, d.starts_at, d.ends_at, d.time_zone, d.is_all_day, d.is_cancelled,
           c.name as calendar, c.tone
      from subscribed_dates d join subscribed_calendars c on c.id = d.calendar_id
     where d.user_id = :user_id and {_in_windows(_OVERLAPS_SUBSCRIBED, windows)} and d.starts_at >= :earliest
       and (c.is_busy = 1 or :only_busy = 0) and (c.is_shown = 1 or :only_shown = 0)
     order by d.starts_at, d.calendar_id, d.number
"""


_KINDS = {
    "hosting": EntryKind.HOSTING,
    "attending": EntryKind.GOING,
    "attended": EntryKind.GOING,
    "waitlisted": EntryKind.WAITING,
    "pending": EntryKind.WAITING,
    "interested": EntryKind.INTERESTED,
    "invited": EntryKind.INVITED,
}


async def own(reader: Reader, user_id: UserId, start: Instant, end: Instant) -> list[CalendarEntry]:
    """Events of this site in ``[start, end)``, in order. Each is listed once, in its most important role."""
    return sorted(await _own_in(reader, user_id, [(start, end)]), key=order)


async def all_of(
    reader: Reader, user_id: UserId, start: Instant, end: Instant, *, only_shown: bool = False
) -> list[CalendarEntry]:
    """All entries in ``[start, end)``, in order. ``only_shown`` leaves out calendars hidden on the calendar page."""
    return await _all_in(reader, user_id, [(start, end)], only_shown=only_shown)


async def _all_in(
    reader: Reader,
    user_id: UserId,
    windows: Sequence[_Window],
    *,
    only_busy: bool = False,
    only_shown: bool = False,
) -> list[CalendarEntry]:
    """All entries in these windows, in order. ``only_busy`` leaves out calendars marked as not taking time."""
    rows = await reader.fetch(
        subscribed(len(windows)),
        user_id=user_id,
        only_busy=int(only_busy),
        only_shown=int(only_shown),
        **_parameters(windows),
    )
    return sorted([*await _own_in(reader, user_id, windows), *map(_subscribed, rows)], key=order)


async def _own_in(reader: Reader, user_id: UserId, windows: Sequence[_Window]) -> list[CalendarEntry]:
    parameters = {"user_id": user_id, **_parameters(windows)}
    entry_by_id: dict[str, CalendarEntry] = {}
    roles = {row["event_id"]: row["status"] for row in await reader.fetch(ANSWERS, user_id=user_id)}
    # A host may also attend. Hosting is the more important role.
    roles |= {row["event_id"]: "hosting" for row in await reader.fetch(CO_HOSTING, user_id=user_id)}
    ids = list(roles)
    for first in range(0, len(ids), _AT_ONCE):
        for row in await reader.fetch(by_key(len(windows)), ids=ids[first : first + _AT_ONCE], **parameters):
            entry_by_id[row["id"]] = _own(row, roles[row["id"]])
    for row in await reader.fetch(hosting(len(windows)), **parameters):
        entry_by_id[row["id"]] = _own(row, "hosting")
    return list(entry_by_id.values())


def order(entry: CalendarEntry) -> tuple[int, str]:
    """Sort key for calendar entries."""
    return entry.starts_at, entry.key


def _own(row: Row, why: str) -> CalendarEntry:
    kind = _KINDS[why]
    # Only hosts and attendees may see the exact place.
    knows_place = kind in {EntryKind.HOSTING, EntryKind.GOING} or row["place_audience"] == Audience.EVERYONE.value
    spot = ", ".join(part for part in (row["venue_name"] if knows_place else "", row["locality"]) if part)
    return CalendarEntry(
        kind=kind,
        key=row["id"],
        title=row["title"],
        place="Online" if row["mode"] == Mode.ONLINE.value else spot,
        starts_at=row["starts_at"],
        ends_at=row["ends_at"] if row["ends_at"] is not None else Instant(row["starts_at"] + HOUR),
        has_end=row["ends_at"] is not None,
        time_zone=row["time_zone"],
        is_all_day=bool(row["is_all_day"]),
        is_cancelled=row["status"] == EventStatus.CANCELLED.value,
        slug=row["slug"],
        is_draft=bool(row["is_draft"]),
        is_held=bool(row["is_held"]),
    )


def _subscribed(row: Row) -> CalendarEntry:
    return CalendarEntry(
        kind=EntryKind.SUBSCRIBED,
        key=f"{row['calendar_id']}:{row['number']:05}",
        title=row["title"],
        place=row["place"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        has_end=row["ends_at"] > row["starts_at"],
        time_zone=row["time_zone"],
        is_all_day=bool(row["is_all_day"]),
        is_cancelled=bool(row["is_cancelled"]),
        calendar=row["calendar"],
        tone=row["tone"],
    )


# Maximum number of dates of a series per query.
MAX_SPANS = 100


async def conflicts(
    reader: Reader, user_id: UserId, spans: Sequence[Span], *, exclude: ExcludedEvent | None = None
) -> list[list[CalendarEntry]]:
    """For each span, the entries that overlap it and take the person's time, in order.

    ``exclude`` is the event itself, which does not conflict with its own entry.
    """
    limited_spans = list(spans[:MAX_SPANS])
    if not limited_spans:
        return []
    entries = [
        entry
        for entry in await _all_in(reader, user_id, _windows(limited_spans), only_busy=True)
        if entry.is_busy and not (exclude is not None and exclude.is_entry(entry))
    ]
    return [
        [
            entry
            for entry in entries
            if entry.starts_at < _end(span) and max(entry.ends_at, Instant(entry.starts_at + 1)) > span.starts_at
        ]
        for span in limited_spans
    ]


def _windows(spans: Sequence[Span]) -> list[_Window]:
    """Windows that contain the spans. Spans that fit into ``WIDEST`` share one, so that a series usually has one."""
    windows: list[_Window] = []
    for start, end in sorted((span.starts_at, _end(span)) for span in spans):
        if windows and max(windows[-1][1], end) - windows[-1][0] <= WIDEST:
            windows[-1] = windows[-1][0], max(windows[-1][1], end)
        else:
            windows.append((start, end))
    return windows


def _end(span: Span) -> Instant:
    """The end of a span, which takes some time in any case."""
    return max(span.ends_at, Instant(span.starts_at + 1))
