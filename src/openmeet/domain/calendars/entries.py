"""Entries of a person's calendar between two instants, read by per-person indexes, never by scanning events.

``HOSTING``, ``ANSWERS`` and ``CO_HOSTING`` with ``BY_KEY``, and ``SUBSCRIBED`` are separate queries, each with its own
index. An event that a person both hosts and attends is one entry. Events that the person can no longer see (in groups
they left, from hidden repositories, held by a moderator) are left out.
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
    " e.is_all_day, e.place_audience, e.is_draft"
)
_IN_WINDOW = "e.starts_at < :end and e.over_at > :start and e.deleted_at is null and e.removed_at is null"
# The same for events looked up by key. ``+ 0`` prevents the use of the index on starts: with it, PostgreSQL would read
# the starts of a quarter of all events instead of a few hundred rows, which takes twenty times as long with a million
# events.
_IN_WINDOW_BY_KEY = (
    "e.starts_at + 0 < :end and e.over_at + 0 > :start and e.deleted_at is null and e.removed_at is null"
)

# Maximum number of keys per query.
_AT_ONCE = 1_000

# No entry is longer than ``WIDEST``, so an entry that is not over began at most this long ago.
HOSTING = f"""
    select {_EVENT} from events e
     where e.author_id = :user_id and e.starts_at >= :earliest and {_IN_WINDOW}
     order by e.starts_at, e.id
"""
# Separate queries on purpose: with a join, PostgreSQL would read every event of the month instead of a few hundred by key.
ANSWERS = """
    select event_id, status from attendances
     where user_id = :user_id and status in ('attending', 'attended', 'waitlisted', 'pending', 'interested', 'invited')
     order by event_id
"""
CO_HOSTING = f"{CO_HOSTED} order by h.event_id"
BY_KEY = f"""
    select {_EVENT} from events e
     where e.id in :ids and e.starts_at + 0 >= :earliest and {_IN_WINDOW_BY_KEY}
       and (e.is_held = 0 or e.author_id = :user_id) and not {is_hidden("e")} and not {is_shut_out("e")}
     order by e.starts_at, e.id
"""
SUBSCRIBED = """
    select d.calendar_id, d.number, d.title, d.place, d.starts_at, d.ends_at, d.time_zone, d.is_all_day, d.is_cancelled,
           c.name as calendar, c.tone
      from subscribed_dates d join subscribed_calendars c on c.id = d.calendar_id
     where d.user_id = :user_id and d.starts_at < :end and d.ends_at >= :start and d.starts_at >= :earliest
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
    window = {"user_id": user_id, "start": start, "end": end, "earliest": start - WIDEST}
    entry_by_id: dict[str, CalendarEntry] = {}
    roles = {row["event_id"]: row["status"] for row in await reader.fetch(ANSWERS, user_id=user_id)}
    # A host may also attend. Hosting is the more important role.
    roles |= {row["event_id"]: "hosting" for row in await reader.fetch(CO_HOSTING, user_id=user_id)}
    ids = list(roles)
    for first in range(0, len(ids), _AT_ONCE):
        for row in await reader.fetch(BY_KEY, ids=ids[first : first + _AT_ONCE], **window):
            entry_by_id[row["id"]] = _own(row, roles[row["id"]])
    for row in await reader.fetch(HOSTING, **window):
        entry_by_id[row["id"]] = _own(row, "hosting")
    return sorted(entry_by_id.values(), key=order)


async def all_of(
    reader: Reader,
    user_id: UserId,
    start: Instant,
    end: Instant,
    *,
    only_busy: bool = False,
    only_shown: bool = False,
) -> list[CalendarEntry]:
    """All entries in ``[start, end)``, in order.

    ``only_busy`` leaves out calendars marked as not taking time, ``only_shown`` those hidden on the calendar page.
    """
    rows = await reader.fetch(
        SUBSCRIBED,
        user_id=user_id,
        start=start,
        end=end,
        earliest=start - WIDEST,
        only_busy=int(only_busy),
        only_shown=int(only_shown),
    )
    # An entry that ends where the window begins is outside of it, unless its length is zero.
    subscribed = [_subscribed(row) for row in rows if row["ends_at"] > start or row["starts_at"] >= start]
    return sorted([*await own(reader, user_id, start, end), *subscribed], key=order)


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
    conflicting: list[list[CalendarEntry]] = []
    limited_spans = list(spans[:MAX_SPANS])
    if not limited_spans:
        return conflicting
    start = min(span.starts_at for span in limited_spans)
    end = max(max(span.ends_at, Instant(span.starts_at + 1)) for span in limited_spans)
    together = await all_of(reader, user_id, start, end, only_busy=True) if end - start <= WIDEST else None
    for span in limited_spans:
        ends = max(span.ends_at, Instant(span.starts_at + 1))
        entries = together
        if entries is None:
            entries = await all_of(reader, user_id, span.starts_at, ends, only_busy=True)
        conflicting.append(
            [
                entry
                for entry in entries
                if entry.is_busy
                and not (exclude is not None and exclude.is_entry(entry))
                and entry.starts_at < ends
                and max(entry.ends_at, Instant(entry.starts_at + 1)) > span.starts_at
            ]
        )
    return conflicting
