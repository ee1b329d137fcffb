"""Top of Discover: filter chips that can be combined, and three featured events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from groundwork.clock import Instant
from openmeet.domain.events.values import Mode
from openmeet.domain.events.vocabulary import CATEGORY_LABELS, Category
from openmeet.domain.search import query
from openmeet.domain.search.search import EventOrigin
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.recurrence import wall_time
from openmeet.web.events.listing import EventCard, ListedDay


@dataclass(frozen=True, slots=True)
class FilterChip:
    """A filter that takes one tap. ``is_on``: tapping it removes the filter. ``asks_where``: it needs the reader's
    position, which a script requests from the browser.
    """

    words: str
    path: str
    is_on: bool = False
    asks_where: bool = False


_PICKED_CATEGORIES: Final = (Category.FOOD, Category.MUSIC, Category.GAMES, Category.OUTDOORS, Category.TECHNOLOGY)
# Filters that can only be set in the form below, but can be removed with a chip.
_ONLY_REMOVED: Final = frozenset({"tag", "language", "access", "groups"})
_NOWHERE: Final = {"near": "", "within": ""}
WEEKEND_TILES: Final = 3


def filter_chips(
    search_fields: Mapping[str, str], now: Instant, zone: str, *, view: str, is_valid: bool = True
) -> list[FilterChip]:
    """Chips for place, date, topic, way to take part and source. Each adds to the current search, ``search_fields``.

    ``view`` is ``map``, or empty for the list. Active filters come first and can be removed, even if they are not among
    the usual ones. ``is_valid`` says whether the search could be parsed. Only then can all active filters be labelled.
    """
    today = wall_time.local_of(now, zone).date()
    spans = _date_filters(today)
    chosen = (search_fields.get("from", ""), search_fields.get("to", ""))

    def chip(words: str, *, is_on: bool, on: Mapping[str, str], off: Mapping[str, str]) -> FilterChip:
        return FilterChip(words, path_of(search_fields, view, **(off if is_on else on)), is_on)

    category, mode, source = (search_fields.get(name, "") for name in ("category", "mode", "source"))
    picked = [one for one in _PICKED_CATEGORIES if one.value != category]
    if category in set(Category):
        picked.insert(0, Category(category))
    no_days = {"from": "", "to": ""}
    found = [
        *([_place_chip(search_fields, view)] if search_fields.get("near", "") else ()),
        *(
            []
            if any(search_fields.values())
            else [FilterChip(gettext("Any day"), path_of(search_fields, view), is_on=True)]
        ),
        *(
            chip(
                words, is_on=chosen == spans[name], on=dict(zip(("from", "to"), spans[name], strict=True)), off=no_days
            )
            for name, words in (
                ("today", gettext("Today")),
                ("weekend", gettext("This weekend")),
                ("week", gettext("This week")),
            )
        ),
        *(() if search_fields.get("near", "") else [_place_chip(search_fields, view)]),
        *(
            chip(
                str(CATEGORY_LABELS[one]), is_on=one.value == category, on={"category": one.value}, off={"category": ""}
            )
            for one in picked
        ),
        chip(
            gettext("Online"),
            is_on=mode == Mode.ONLINE.value,
            on={"mode": Mode.ONLINE.value, **_NOWHERE},
            off={"mode": ""},
        ),
        *(
            chip(words, is_on=True, on={}, off={"source": ""})
            for one, words in (
                (EventOrigin.OPENMEET, gettext("Created here")),
                (EventOrigin.ATPROTO, gettext("From other apps")),
            )
            if source == one.value
        ),
        *(
            chip(
                _days_label(search_fields) if name == "from" else words,
                is_on=True,
                on={},
                off=no_days if name == "from" else {name: ""},
            )
            for name, words in (query.words_by_filter(search_fields).items() if is_valid else ())
            if name in _ONLY_REMOVED or (name == "from" and chosen not in spans.values())
        ),
    ]
    # On a phone, only the first chips of the line are visible.
    return sorted(found, key=lambda one: not one.is_on)


def _days_label(search_fields: Mapping[str, str]) -> str:
    """A short label for dates that no usual chip covers."""
    first, last = (
        formatting.short_day(date.fromisoformat(search_fields[name])) if search_fields[name] else ""
        for name in ("from", "to")
    )
    if first and last:
        return first if first == last else f"{first} – {last}"
    return gettext("from %(day)s", day=first) if first else gettext("until %(day)s", day=last)


def path_of(search_fields: Mapping[str, str], view: str, **changes: str) -> str:
    """The URL of the current search with these fields changed."""
    query_string = query.query_string(search_fields, **changes, **({"view": view} if view else {}))
    return f"/?{query_string}" if query_string else "/"


def featured_events(parts: list[list[ListedDay]]) -> list[EventCard]:
    """Three upcoming events with different pictures."""
    cards = [card for days in parts for day in days for card in day.items if not card.is_cancelled]
    return list({card.thumbnail: card for card in reversed(cards)}.values())[:-4:-1]


def take_weekend(parts: list[list[ListedDay]], now: Instant, zone: str) -> list[EventCard]:
    """Move three events of the next weekend out of the list and return them. Empty if there are fewer than three."""
    first, last = _date_filters(wall_time.local_of(now, zone).date())["weekend"]
    days = [day for part in parts for day in part if first <= day.key <= last]
    found = [card for day in days for card in day.items if not card.is_cancelled][:WEEKEND_TILES]
    if len(found) < WEEKEND_TILES:
        return []
    for day in days:
        day.items = [card for card in day.items if card not in found]
    for part in parts:
        part[:] = [day for day in part if day.items]
    return found


def weekend_path(now: Instant, zone: str) -> str:
    """The URL of a search for the next weekend."""
    first, last = _date_filters(wall_time.local_of(now, zone).date())["weekend"]
    return path_of({}, "", **{"from": first, "to": last})


def _place_chip(search_fields: Mapping[str, str], view: str) -> FilterChip:
    """The chip that removes the chosen place, or the one that requests the reader's position."""
    if search_fields.get("near", ""):
        name = query.near_name(search_fields)
        words = gettext("Near me") if query.is_point(name) else gettext("Near %(place)s", place=name)
        return FilterChip(words, path_of(search_fields, view, **_NOWHERE), is_on=True)
    return FilterChip(gettext("Near me"), path_of(search_fields, view, mode=""), asks_where=True)


def _date_filters(today: date) -> dict[str, tuple[str, str]]:
    """The first and last day of each date filter. On a Sunday, the weekend is that day only."""
    saturday = today if today.isoweekday() == 7 else today + timedelta(days=6 - today.isoweekday())
    sunday = saturday + timedelta(days=7 - saturday.isoweekday())
    found = {
        "today": (today, today),
        "weekend": (saturday, sunday),
        "week": (today, today + timedelta(days=6)),
    }
    return {name: (first.isoformat(), last.isoformat()) for name, (first, last) in found.items()}
