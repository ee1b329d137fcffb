"""Calendar entries as a list of days: events on this site as cards, entries of other calendars as rows of the same
shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from groundwork.database.transaction import Reader
from openmeet.domain.calendars.model import CalendarEntry, EntryKind
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.web.calendar_layout.view import Period, clock_on, covered_days, overlaps_on, start_in_own_zone, title_of
from openmeet.web.events.listing import CardList, EventCard, card_of, facts_of
from openmeet.web.site.reader_zone import ShownZone

# Maximum number of sentences about overlaps per day.
MAX_OVERLAPS = 2


@dataclass(frozen=True, slots=True)
class OtherCard:
    """An entry of another calendar."""

    title: str
    iso: str
    clock: str
    place: str
    calendar: str
    tone: int
    is_cancelled: bool


@dataclass(slots=True)
class DayOfCards:
    """A day. ``relative`` is ``Today``, ``Tomorrow`` or empty. ``further`` is the number of entries that are not
    listed.
    """

    key: str
    words: str
    relative: str
    overlaps: Sequence[str] = ()
    cards: list[EventCard | OtherCard] = field(default_factory=list)
    further: int = 0


async def day_cards(
    reader: Reader,
    public_url: str,
    viewer: UserId,
    period: Period,
    listed: Mapping[date, Sequence[CalendarEntry]],
    events: Mapping[str, Event],
) -> list[DayOfCards]:
    """Cards of the listed entries, by day. ``events`` must contain, by id, at least the events of this site among those
    entries.
    """
    listed_keys = {entry.key for entries in listed.values() for entry in entries}
    own_events = [event for key, event in events.items() if key in listed_keys]
    facts = await facts_of(reader, own_events, CardList(public_url, viewer)) if own_events else None
    days = []
    for day, entries in listed.items():
        relative = formatting.relative_day(day, period.today)
        day_of_cards = DayOfCards(
            day.isoformat(), formatting.long_day(day), relative, overlaps_on(day, period.zone, entries, MAX_OVERLAPS)
        )
        for entry in entries:
            clock = clock_on(entry, day, period.zone)
            event = events.get(entry.key)
            if event is not None and facts is not None:
                card = card_of(event, facts)
                day_of_cards.cards.append(
                    replace(
                        card,
                        time_tag=formatting.time_tag(entry.starts_at, clock),
                        zone=ShownZone(own) if (own := start_in_own_zone(entry, period.zone)) else None,
                        place=entry.place or card.place,
                    )
                )
            elif entry.kind is EntryKind.SUBSCRIBED:
                day_of_cards.cards.append(_other(entry, clock))
        days.append(day_of_cards)
    return days


def _other(entry: CalendarEntry, clock: str) -> OtherCard:
    return OtherCard(
        title=title_of(entry),
        iso=formatting.iso(entry.starts_at),
        clock=clock,
        place=entry.place,
        calendar=entry.calendar,
        tone=entry.tone,
        is_cancelled=entry.is_cancelled,
    )


def by_first_day(period: Period, entries: Sequence[CalendarEntry]) -> dict[date, list[CalendarEntry]]:
    """Each entry once, under its first day within the period. Days without entries are left out."""
    entries_by_day: dict[date, list[CalendarEntry]] = {}
    for entry in entries:
        span = covered_days(entry, period.zone)
        day = max(span.first, period.start)
        if day <= min(span.last, period.end - timedelta(days=1)):
            entries_by_day.setdefault(day, []).append(entry)
    return dict(sorted(entries_by_day.items()))
