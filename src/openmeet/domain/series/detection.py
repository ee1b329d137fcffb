"""Detect series among one author's single events: three or more with the same name and place at regular intervals.
Pure.

A detected series has a confidence between 0 and 1. It depends on the share of the rule's dates that took place, the
share of events that the rule explains, the number of events, and whether they start at the same time. Nothing below
``SUGGESTED`` is shown.

Events whose records name the same series (written by an older OpenMeet) are certainly a series. Two events are then
enough, whatever their titles, and even if no rule explains their dates.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from difflib import SequenceMatcher
from itertools import pairwise
from math import sqrt
from statistics import median

import regex

from groundwork.clock import DAY, Instant
from openmeet.i18n.markdown import folded
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import Rule, Weekday
from openmeet.recurrence.wall_time import instant_of, local_of

MIN_DATES = 3
LEAST_NAMED = 2
# At the first confidence or above, the events are shown as a series. At the second or above, the author is asked
# whether they are one.
CERTAIN = 0.8
SUGGESTED = 0.5
# Limits per author: the number of newest events, and the number of names with a common word to compare a name with.
MAX_EVENTS = 2_000
MAX_EVENTS_OF_STRANGER = 500
MAX_NAMES = 20
# Maximum characters to compare per name, and maximum exact comparisons where letter counts do not decide. With
# adversarial names each comparison takes 2 ms, so one author takes about a second.
MAX_CHARACTERS = 80
MAX_COMPARED = 500

_LEAST_EXPLAINED = 0.6
_LEAST_HELD = 0.6
_SAME_NAME = 0.85
_ROUNDS = 3
_HOUR_MINUTES = 60
_NUMBERS = regex.compile(r"#?\p{N}+(?:st|nd|rd|th)?")
_WORD = regex.compile(r"\p{L}+")
_MONTHS = frozenset(
    [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
    ]
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A single event as detection sees it.

    ``place``: any text that is equal for equal places. ``zone_name``: the event's zone. ``series_name``: the series
    that its record names, or empty.
    """

    id: str
    title: str
    place: str
    at: Instant
    zone_name: str
    series_name: str = ""


@dataclass(frozen=True, slots=True)
class DetectedSeries:
    """A detected series: its events in order, with their wall-clock starts in ``zone_name``, and the rule that explains
    them.

    ``key`` identifies the name and place, or the series that the records name. Only a series named in records may have
    no rule.
    """

    key: str
    rule: Rule | None
    zone_name: str
    dates: tuple[tuple[str, datetime], ...]
    missing: tuple[datetime, ...]
    confidence: float

    @property
    def pattern(self) -> Pattern:
        """The rule from its first date on, with missing dates excluded and other dates added."""
        first = self.dates[0][1]
        bare = Pattern(first, self.zone_name, self.rule)
        own = tuple(at for _, at in self.dates[1:] if self.rule is None or not expansion.is_date_of(bare, at))
        return replace(bare, left_out=self.missing, added=own)

    @property
    def is_named(self) -> bool:
        """Whether the events' records name the series."""
        return "\n" not in self.key


def name_of(title: str) -> str:
    """The constant part of a title, without numbers, months and punctuation. The whole title if nothing else is left."""
    plain = _NUMBERS.sub(" ", folded(title))
    words = [word for word in _WORD.findall(plain) if word not in _MONTHS]
    return " ".join(words) or folded(title).strip()


def title_of(titles: Sequence[str]) -> str:
    """The title for a series: the title of most events or, without one, the last title without numbers and months."""
    title, number = Counter(titles).most_common(1)[0]
    if number * 2 > len(titles):
        return title
    bare = _NUMBERS.sub(" ", titles[-1])
    words = [word for word in bare.split() if folded(word).strip(".,:;()-") not in _MONTHS]
    return " ".join(words).strip(" -–—:,.;#/|()[]") or titles[-1]


def find(sightings: Iterable[Sighting], zones: Sequence[str] = ()) -> list[DetectedSeries]:
    """Detect all series among one author's events. ``zones``: the author's known zones, for events without one."""
    newest = sorted(sightings, key=lambda one: (one.at, one.id))[-MAX_EVENTS:]
    detected_series = _named(newest, zones)
    for key, similar in sorted(_groups_by_name([one for one in newest if not one.series_name]).items()):
        left = similar
        for round_ in range(_ROUNDS):
            best = _best(key if round_ == 0 else f"{key}\n{round_}", left, zones)
            if best is None:
                break
            detected_series.append(best)
            explained = {event_id for event_id, _ in best.dates}
            left = [one for one in left if one.id not in explained]
    return detected_series


def key_of_series(series_name: str) -> str:
    """The key of a series that records name. It has one line; a key of title and place has two."""
    return f"series:{series_name}"


def _named(sightings: Sequence[Sighting], zones: Sequence[str]) -> list[DetectedSeries]:
    by_name: dict[str, list[Sighting]] = {}
    for one in sightings:
        if one.series_name:
            by_name.setdefault(one.series_name, []).append(one)
    detected_series: list[DetectedSeries] = []
    for name, similar in sorted(by_name.items()):
        zone_name = _zone(similar, zones)
        # If two events begin at the same moment, only one of them becomes a date.
        starts: dict[datetime, str] = {}
        for one in similar:
            starts.setdefault(local_of(one.at, zone_name).replace(tzinfo=None, microsecond=0), one.id)
        if len(starts) < LEAST_NAMED:
            continue
        dates = tuple((event_id, at) for at, event_id in sorted(starts.items()))
        best = _best(key_of_series(name), similar, zones)
        bare = DetectedSeries(key_of_series(name), None, zone_name, dates, (), 1.0)
        # A rule counts from its start, so it is used only if it fits from the first event on.
        fits = best is not None and best.dates[0][1] == dates[0][1] and best.zone_name == zone_name
        detected_series.append(
            replace(bare, rule=best.rule, missing=best.missing) if best is not None and fits else bare
        )
    return detected_series


def _groups_by_name(sightings: Sequence[Sighting]) -> dict[str, list[Sighting]]:
    """Group events by name and place. Slightly different names count as the same."""
    own = {one.id: name_of(one.title) for one in sightings}
    stands_for: dict[str, str] = {}
    # Compare only names that share a word. Of many thousands, only a few are left.
    by_word: dict[str, list[str]] = {}
    compared = 0
    for name, _ in sorted(Counter(own.values()).items(), key=lambda item: (-item[1], item[0])):
        near = list(dict.fromkeys(other for word in name.split() for other in by_word.get(word, ())[:MAX_NAMES]))
        likely = [other for other in near[:MAX_NAMES] if _may_be_same(other, name)][: MAX_COMPARED - compared]
        compared += len(likely)
        stands_for[name] = next((other for other in likely if _is_same(other, name)), name)
        if stands_for[name] == name:
            for word in name.split():
                by_word.setdefault(word, []).append(name)
    grouped: dict[str, list[Sighting]] = {}
    for one in sightings:
        grouped.setdefault(f"{stands_for[own[one.id]]}\n{folded(one.place)}", []).append(one)
    return {key: similar for key, similar in grouped.items() if len(similar) >= MIN_DATES}


def _may_be_same(one: str, other: str) -> bool:
    """Whether the letter counts of two names allow them to be the same. Cheap, and False for nearly every pair."""
    matcher = _matcher(one, other)
    return matcher.real_quick_ratio() >= _SAME_NAME and matcher.quick_ratio() >= _SAME_NAME


def _is_same(one: str, other: str) -> bool:
    return _matcher(one, other).ratio() >= _SAME_NAME


def _matcher(one: str, other: str) -> SequenceMatcher[str]:
    return SequenceMatcher(None, one[:MAX_CHARACTERS], other[:MAX_CHARACTERS], autojunk=False)


def _best(key: str, similar: Sequence[Sighting], zones: Sequence[str]) -> DetectedSeries | None:
    if len(similar) < MIN_DATES:
        return None
    zone_name = _zone(similar, zones)
    # If two events are on the same day, only one of them becomes a date.
    days: dict[date, tuple[str, datetime]] = {}
    for one in similar:
        local = local_of(one.at, zone_name).replace(tzinfo=None, second=0, microsecond=0)
        days.setdefault(local.date(), (one.id, local))
    if len(days) < MIN_DATES:
        return None
    fits = sorted(
        _fitted_series(key, zone_name, days),
        key=lambda one: (-round(one.confidence, 6), len(str(one.rule)), str(one.rule)),
    )
    if not fits:
        return None
    best = fits[0]
    if len(best.dates) == MIN_DATES and any(
        abs(one.confidence - best.confidence) < 0.01 and _next(one) != _next(best) for one in fits[1:]
    ):
        # Two rules explain the three dates equally well but continue differently.
        best = replace(best, confidence=best.confidence * 0.9)
    return best if best.confidence >= SUGGESTED else None


def _next(detected: DetectedSeries) -> Instant | None:
    last = instant_of(detected.dates[-1][1], detected.zone_name)
    following = expansion.following(detected.pattern, Instant(last + DAY), 1)
    return following[0].at if following else None


def _zone(similar: Sequence[Sighting], zones: Sequence[str]) -> str:
    """The zone in which most of the events begin at the same time of day. On a tie, the events' own zone."""
    zone_names = [name for name, _ in Counter(one.zone_name for one in similar).most_common()]
    candidates = [*(name for name in zone_names if name != "UTC"), *zones, "UTC"]

    def uniformity(name: str) -> int:
        return Counter(local_of(one.at, name).strftime("%H:%M") for one in similar).most_common(1)[0][1]

    return max(dict.fromkeys(candidates), key=uniformity)


def _fitted_series(key: str, zone_name: str, days: dict[date, tuple[str, datetime]]) -> Iterator[DetectedSeries]:
    usual = Counter(local.time() for _, local in days.values()).most_common(1)[0][0]
    for rule in dict.fromkeys(_rules(sorted(days))):
        for first in sorted(days)[:2]:
            fit = _fit_rule(key, zone_name, days, rule, datetime.combine(first, usual))
            if fit is not None:
                yield fit


def _fit_rule(
    key: str, zone_name: str, days: dict[date, tuple[str, datetime]], rule: Rule, start: datetime
) -> DetectedSeries | None:
    bare = Pattern(start, None, rule)
    last = datetime.combine(max(days), start.time())
    expected = [
        one.original
        for one in expansion.between(
            bare, instant_of(start, "UTC"), Instant(instant_of(last, "UTC") + 1), limit=MAX_EVENTS
        )
    ]
    if not expected or expected[0] != start or not _names(rule, start):
        return None
    matched = [at for at in expected if at.date() in days]
    if len(matched) < MIN_DATES:
        return None
    explained = len(matched) / len(days)
    if explained < _LEAST_EXPLAINED or len(matched) / len(expected) < _LEAST_HELD:
        return None
    off = sum(_minutes_apart(days[at.date()][1], at) > 0 for at in matched)
    far = sum(_minutes_apart(days[at.date()][1], at) > _HOUR_MINUTES for at in matched)
    same_time = 1 - (0.05 * off + 0.45 * far) / len(matched)
    confidence = explained * sqrt(len(matched) / len(expected)) * (1 - 0.5 ** len(matched)) * same_time
    return DetectedSeries(
        key=key,
        rule=rule,
        zone_name=zone_name,
        dates=tuple(days[at.date()] for at in matched),
        missing=tuple(at for at in expected if at.date() not in days),
        # Rounded to the digits that are stored, so that a repeated result is recognized.
        confidence=round(confidence, 3),
    )


def _names(rule: Rule, start: datetime) -> bool:
    """Whether the rule itself includes its start. A pattern's start always counts as a date, so this needs a separate
    check.
    """
    earlier_pattern = Pattern(start - timedelta(days=1), None, rule)
    later = expansion.between(earlier_pattern, instant_of(start, "UTC"), Instant(instant_of(start, "UTC") + 1))
    return bool(later) or rule.interval > 1


def _minutes_apart(one: datetime, other: datetime) -> int:
    return int(abs((one - other).total_seconds()) // 60)


def _rules(dates: Sequence[date]) -> Iterator[Rule]:
    """All rules worth trying for these days."""
    gap = median((later - earlier).days for earlier, later in pairwise(dates))
    weekdays = Counter(one.weekday() for one in dates)
    usual = [day for day, number in weekdays.items() if number * 4 >= len(dates)]
    if gap <= 2:
        yield Rule("DAILY", interval=max(1, round(gap)))
    for interval in dict.fromkeys((max(1, round(gap / 7)), 1, 2)):
        if interval <= 8:
            yield from (Rule("WEEKLY", interval=interval, by_day=(Weekday(day),)) for day in usual)
    often = sorted(day for day in usual if weekdays[day] > 1)
    if len(often) > 1:
        yield Rule("WEEKLY", by_day=tuple(Weekday(day) for day in often))
    months = max(1, round(gap / 30.44))
    for interval in dict.fromkeys((months, 1)):
        if interval <= 6:
            yield from _monthly(dates, usual, interval)
    if gap >= 300:
        for one in dates[:2]:
            yield Rule("YEARLY", by_month=(one.month,), by_month_day=(one.day,))
            yield Rule("YEARLY", by_month=(one.month,), by_day=(Weekday(one.weekday(), _nth(one)),))


def _monthly(dates: Sequence[date], usual: Sequence[int], interval: int) -> Iterator[Rule]:
    for day in usual:
        on_it = [one for one in dates if one.weekday() == day]
        for nth, _ in Counter(_nth(one) for one in on_it).most_common(2):
            yield Rule("MONTHLY", interval=interval, by_day=(Weekday(day, nth),))
        if any((one + timedelta(days=7)).month != one.month for one in on_it):
            yield Rule("MONTHLY", interval=interval, by_day=(Weekday(day, -1),))
    for month_day, _ in Counter(one.day for one in dates).most_common(1):
        yield Rule("MONTHLY", interval=interval, by_month_day=(month_day,))
    if all((one + timedelta(days=1)).month != one.month for one in dates):
        yield Rule("MONTHLY", interval=interval, by_month_day=(-1,))


def _nth(day: date) -> int:
    return (day.day - 1) // 7 + 1
