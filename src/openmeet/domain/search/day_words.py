"""The day that words of a search name: ``yoga saturday``, ``Konzert heute Abend``, ``7. Dezember``. In English and German.
Pure.

``morgen`` is also the morning, and ``sunday`` a word in titles. So a search still finds these words, and the page offers
the search for the day as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from babel import Locale

from openmeet.i18n.markdown import folded

_LANGUAGES: Final = ("en", "de")
_IN_DAYS: Final = {
    **dict.fromkeys(("today", "tonight", "heute"), 0),
    **dict.fromkeys(("tomorrow", "morgen"), 1),
    "ubermorgen": 2,
}
_WEEKENDS: Final = frozenset({"weekend", "wochenende"})
# Words that belong to a day, before or after it.
_BEFORE: Final = frozenset({"am", "at", "das", "diesen", "dieses", "im", "kommenden", "on", "the", "this"})
_AFTER: Final = frozenset({"abend", "evening", "night"})


def _names(kind: str) -> dict[str, int]:
    """Weekdays (Monday is 0) or months (January is 1) by their folded names."""
    return {
        folded(name): number
        for language in _LANGUAGES
        for number, name in getattr(Locale(language), kind)["format"]["wide"].items()
    }


_WEEKDAYS: Final[Mapping[str, int]] = {**_names("days"), "sonnabend": 5}
_MONTHS: Final[Mapping[str, int]] = _names("months")


@dataclass(frozen=True, slots=True)
class NamedDays:
    """The days that were named, both inclusive, and the other words of the search."""

    first: date
    last: date
    words: tuple[str, ...]


def named_days(words: Sequence[str], today: date) -> NamedDays | None:
    """The first day that these words name, on ``today`` or later. None if they name no day."""
    plain = [folded(word).strip(".,") for word in words]
    for at in range(len(words)):
        found = _days_at(plain, at, today)
        if found is None:
            continue
        first, last, end = found
        begin = at
        while begin and plain[begin - 1] in _BEFORE:
            begin -= 1
        if plain[end : end + 1] and plain[end] in _AFTER:
            end += 1
        return NamedDays(first, last, (*words[:begin], *words[end:]))
    return None


def _days_at(plain: Sequence[str], at: int, today: date) -> tuple[date, date, int] | None:
    """The first and last day that the words from this position name, and the position behind them."""
    word = plain[at]
    if word in _IN_DAYS:
        day = today + timedelta(days=_IN_DAYS[word])
        return day, day, at + 1
    if word in _WEEKDAYS:
        day = today + timedelta(days=(_WEEKDAYS[word] - today.weekday()) % 7)
        return day, day, at + 1
    if word in _WEEKENDS:
        sunday = today + timedelta(days=6 - today.weekday())
        return max(today, sunday - timedelta(days=1)), sunday, at + 1
    following = plain[at + 1] if at + 1 < len(plain) else ""
    number, month = (word, following) if following in _MONTHS else (following, word)
    if month not in _MONTHS or not (number.isascii() and number.isdigit() and len(number) <= 2):
        return None
    day_or_none = _next(int(number), _MONTHS[month], today)
    return None if day_or_none is None else (day_or_none, day_or_none, at + 2)


def _next(number: int, month: int, today: date) -> date | None:
    """The next day with this number in this month. None for days that do not exist, such as 31 June."""
    for year in (today.year, today.year + 1):
        try:
            day = date(year, month, number)
        except ValueError:
            continue
        if day >= today:
            return day
    return None
