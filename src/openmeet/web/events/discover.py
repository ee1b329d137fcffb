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
# Filters that have a chip of their own, or several. The others can only be set in the form, but a chip removes them.
_WITH_CHIPS: Final = frozenset({"q", "from", "to", "category", "mode", "source", "near", "within"})
_NOWHERE: Final = {"near": "", "within": ""}
_NO_DATES: Final = {"from": "", "to": ""}
WEEKEND_TILES: Final = 3

# The fields that the URL of a view has beside those of the search.
LIST: Final[Mapping[str, str]] = {}
MAP: Final[Mapping[str, str]] = {"view": "map"}
MONTH: Final[Mapping[str, str]] = {"view": "month"}


def filter_chips(
    search_fields: Mapping[str, str], now: Instant, zone: str, *, view: Mapping[str, str], is_valid: bool = True
) -> list[FilterChip]:
    """Chips for place, date, topic, way to take part and source. Each adds to the current search, ``search_fields``.

    ``view`` is one of the views above, a month with the field ``month``. Active filters come first and can be removed,
    even if they are not among the usual ones. ``is_valid`` says whether the search could be parsed. Only then can all
    active filters be labelled.
    """
    date_filters = _date_filters(wall_time.local_of(now, zone).date())
    has_place = bool(search_fields.get("near", ""))
    chips = [
        *([_place_chip(search_fields, view)] if has_place else []),
        *([] if any(search_fields.values()) else [_any_day_chip(search_fields, view)]),
        *_date_chips(search_fields, view, date_filters),
        *([] if has_place else [_place_chip(search_fields, view)]),
        *_category_chips(search_fields, view),
        _online_chip(search_fields, view),
        *_source_chips(search_fields, view),
        *(_removal_chips(search_fields, view, date_filters) if is_valid else []),
    ]
    # On a phone, only the first chips of the line are visible.
    return sorted(chips, key=lambda one: not one.is_on)


def is_month(view: Mapping[str, str]) -> bool:
    return view.get("view", "") == MONTH["view"]


def _any_day_chip(search_fields: Mapping[str, str], view: Mapping[str, str]) -> FilterChip:
    return FilterChip(gettext("Any day"), path_of(search_fields, view), is_on=True)


def _date_chips(
    search_fields: Mapping[str, str], view: Mapping[str, str], date_filters: Mapping[str, tuple[str, str]]
) -> list[FilterChip]:
    labels = {"today": gettext("Today"), "weekend": gettext("This weekend"), "week": gettext("This week")}
    chips = []
    for name, words in labels.items():
        first, last = date_filters[name]
        is_on = _selected_dates(search_fields) == (first, last)
        changes = _NO_DATES if is_on else {"from": first, "to": last}
        chips.append(FilterChip(words, path_of(search_fields, view, **changes), is_on))
    return chips


def _category_chips(search_fields: Mapping[str, str], view: Mapping[str, str]) -> list[FilterChip]:
    """The usual topics. If another topic is selected, it is the first one."""
    selected = search_fields.get("category", "")
    categories = [one for one in _PICKED_CATEGORIES if one.value != selected]
    if selected in set(Category):
        categories.insert(0, Category(selected))
    return [
        FilterChip(
            str(CATEGORY_LABELS[one]),
            path_of(search_fields, view, category="" if one.value == selected else one.value),
            one.value == selected,
        )
        for one in categories
    ]


def _online_chip(search_fields: Mapping[str, str], view: Mapping[str, str]) -> FilterChip:
    is_on = search_fields.get("mode", "") == Mode.ONLINE.value
    changes = {"mode": ""} if is_on else {"mode": Mode.ONLINE.value, **_NOWHERE}
    return FilterChip(gettext("Online"), path_of(search_fields, view, **changes), is_on)


def _source_chips(search_fields: Mapping[str, str], view: Mapping[str, str]) -> list[FilterChip]:
    labels = {
        EventOrigin.OPENMEET.value: gettext("Created here"),
        EventOrigin.ATPROTO.value: gettext("From other apps"),
    }
    words = labels.get(search_fields.get("source", ""))
    return [] if words is None else [FilterChip(words, path_of(search_fields, view, source=""), is_on=True)]


def _removal_chips(
    search_fields: Mapping[str, str], view: Mapping[str, str], date_filters: Mapping[str, tuple[str, str]]
) -> list[FilterChip]:
    """Chips that remove filters of the form below, and dates that no usual chip covers."""
    chips = []
    for name, words in query.words_by_filter(search_fields).items():
        if name not in _WITH_CHIPS:
            chips.append(FilterChip(words, path_of(search_fields, view, **{name: ""}), is_on=True))
        elif name == "from" and _selected_dates(search_fields) not in date_filters.values():
            chips.append(FilterChip(_days_label(search_fields), path_of(search_fields, view, **_NO_DATES), is_on=True))
    return chips


def _selected_dates(search_fields: Mapping[str, str]) -> tuple[str, str]:
    return search_fields.get("from", ""), search_fields.get("to", "")


def _days_label(search_fields: Mapping[str, str]) -> str:
    """A short label for dates that no usual chip covers."""
    first, last = (
        formatting.short_day(date.fromisoformat(search_fields[name])) if search_fields[name] else ""
        for name in ("from", "to")
    )
    if first and last:
        return first if first == last else f"{first} – {last}"
    return gettext("from %(day)s", day=first) if first else gettext("until %(day)s", day=last)


def path_of(search_fields: Mapping[str, str], view: Mapping[str, str], **changes: str) -> str:
    """The URL of the current search with these fields changed. A search for days is a list even from the month."""
    fields = {**search_fields, **changes}
    is_list = is_month(view) and any(fields.get(name, "") for name in _NO_DATES)
    query_string = query.query_string(search_fields, **changes, **({} if is_list else view))
    return f"/?{query_string}" if query_string else "/"


def month_of(day: date) -> dict[str, str]:
    """The view of the month that contains ``day``."""
    return {**MONTH, "month": f"{day:%Y-%m}"}


def month_path(search_fields: Mapping[str, str]) -> str:
    """The URL of the current search as a month: the one in which its days begin, or the current one."""
    try:
        view = month_of(date.fromisoformat(search_fields["from"]))
    except ValueError:
        view = dict(MONTH)
    return path_of(search_fields, view, **_NO_DATES)


def featured_events(parts: list[list[ListedDay]]) -> list[EventCard]:
    """Three upcoming events with different pictures."""
    cards = [card for days in parts for day in days for card in day.items if not card.is_cancelled]
    return list({card.thumbnail: card for card in reversed(cards)}.values())[:-4:-1]


def take_weekend(parts: list[list[ListedDay]], now: Instant, zone: str) -> list[EventCard]:
    """Move three events of the next weekend out of the list and return them: the first ones that have visible attendees
    and different pictures, as far as there are such events. Empty if there are fewer than three.
    """
    first, last = (day.isoformat() for day in next_weekend(now, zone))
    days = [day for part in parts for day in part if first <= day.key <= last]
    cards = [card for day in days for card in day.items if not card.is_cancelled]
    if len(cards) < WEEKEND_TILES:
        return []
    with_guests_first = sorted(cards, key=lambda card: not card.faces)
    first_with_picture = {card.thumbnail: card for card in reversed(with_guests_first)}
    chosen = sorted(with_guests_first, key=lambda card: first_with_picture[card.thumbnail] is not card)[:WEEKEND_TILES]
    tiles = [card for card in cards if card in chosen]
    for day in days:
        day.items = [card for card in day.items if card not in tiles]
    for part in parts:
        part[:] = [day for day in part if day.items]
    return tiles


def next_weekend(now: Instant, zone: str) -> tuple[date, date]:
    """The first and last day of the next weekend, or of the current one."""
    first, last = _date_filters(wall_time.local_of(now, zone).date())["weekend"]
    return date.fromisoformat(first), date.fromisoformat(last)


def _place_chip(search_fields: Mapping[str, str], view: Mapping[str, str]) -> FilterChip:
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
    filters = {
        "today": (today, today),
        "weekend": (saturday, sunday),
        "week": (today, today + timedelta(days=6)),
    }
    return {name: (first.isoformat(), last.isoformat()) for name, (first, last) in filters.items()}
