"""Dates of a parsed calendar: rules are expanded, and single and "this and following" overrides applied.

``Bounds`` limits the expansion itself, so that no more than a few thousand dates are ever computed only to be dropped.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from groundwork.clock import Instant
from openmeet.domain.icalendar.model import ReadEvent
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.i18n.formatting import number
from openmeet.recurrence import expansion
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import MAX_DATES, Pattern
from openmeet.recurrence.rule_dates import Steps
from openmeet.recurrence.wall_time import instant_of, local_of

# Maximum number of dates stored per window.
MAX_STORED = 10_000
# Maximum number of dates from one event's rule: four a day for more than a year.
MAX_OF_ONE = 2_000
# Maximum number of steps for all rules of a file together (``rule_dates.Steps``): two thousand weekly events over a year
# and two months, with some reserve.
MAX_STEPS = 300_000
_MICROSECOND = timedelta(microseconds=1)
# How far a date may have been moved from its original start and still be found in a window.
_MOVED = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Instance:
    """One date. ``event`` has its content; ``original`` is set for an override of a date in a series."""

    event: ReadEvent
    starts_at: Instant
    ends_at: Instant
    zone_name: str
    original: Instant | None = None


@dataclass(slots=True)
class Bounds:
    """Limits shared by all calendars of a file.

    ``is_whole``: nothing has been left out so far. ``until``: once enough dates were found, the end of the period that
    is still of interest.
    """

    most: int = MAX_STORED
    steps: Steps = field(default_factory=lambda: Steps(most=MAX_STEPS))
    is_whole: bool = True
    kept: list[Instance] = field(default_factory=list)
    until: Instant | None = None

    def keep(self, instance: Instance) -> None:
        """Add a date. The list may grow to twice ``most`` before it is cut."""
        self.kept.append(instance)
        if len(self.kept) >= 2 * self.most:
            self.cut()

    def cut(self) -> None:
        """Sort the dates and drop all after the first ``most``."""
        self.kept.sort(key=lambda one: (one.starts_at, one.event.number))
        if len(self.kept) > self.most:
            self.is_whole = False
            del self.kept[self.most :]
            self.until = Instant(self.kept[-1].starts_at + 1)

    def end(self, end: Instant) -> Instant:
        """Where the window of the next expansion ends: ``end``, or earlier if enough dates were found before it."""
        return end if self.until is None else min(end, self.until)


def instances(
    events: Iterable[ReadEvent], start: Instant, end: Instant, bounds: Bounds | None = None
) -> list[Instance]:
    """Return the dates that overlap ``[start, end)``, in order, including those of other calendars that share
    ``bounds``.
    """
    bounds = bounds or Bounds()
    by_uid: dict[str, list[ReadEvent]] = {}
    for event in events:
        by_uid.setdefault(event.uid, []).append(event)
    for group in by_uid.values():
        try:
            for one in _of_one(group, start, bounds.end(end), bounds):
                bounds.keep(one)
        except RuleRefused:
            # No steps are left.
            bounds.is_whole = False
            break
    bounds.cut()
    return bounds.kept


def masters(events: Iterable[ReadEvent]) -> list[ReadEvent]:
    """Return one event per UID: the newest that is not an override. Overrides without their series are combined into
    one event.
    """
    by_uid: dict[str, list[ReadEvent]] = {}
    for event in events:
        by_uid.setdefault(event.uid, []).append(event)
    return [_master(group) for group in by_uid.values()]


def _master(group: Sequence[ReadEvent]) -> ReadEvent:
    master_events = [event for event in group if event.overrides is None]
    stray = None if master_events else combine_overrides(group)
    return stray or max(master_events or group, key=lambda event: event.sequence)


def _of_one(group: Sequence[ReadEvent], start: Instant, end: Instant, bounds: Bounds) -> Iterator[Instance]:
    """Yield the dates of all events with one UID. Raises RuleRefused if ``bounds`` has no steps left."""
    master_events = [event for event in group if event.overrides is None]
    singles: dict[Instant, ReadEvent] = {}
    ranges: list[tuple[Instant, ReadEvent]] = []
    master = max(master_events, key=lambda event: event.sequence) if master_events else None
    for event in sorted(group, key=lambda event: event.sequence):
        if event.overrides is None:
            continue
        original = instant_of(event.overrides.original, _zone(event))
        if master is not None and event.overrides.is_day:
            original = instant_of(original_in_series(master.pattern, event), _zone(master))
        if event.overrides.and_following:
            ranges.append((original, event))
        else:
            singles[original] = event
    ranges.sort(key=lambda pair: pair[0])
    instances = [_single(event, original) for original, event in (*singles.items(), *(() if master else ranges))]
    yield from (one for one in instances if _overlaps(one, start, end))
    if master is None:
        return
    reach = _span(_MOVED) if ranges else _span(master.length or timedelta(0))
    range_end = Instant(end + (reach if ranges else 0))
    by_rule = expansion.walk(master.pattern, Instant(start - reach), range_end, bounds.steps)
    for one in islice(by_rule, MAX_OF_ONE):
        if one.at not in singles:
            dated = _dated(master, one, ranges)
            if _overlaps(dated, start, end):
                yield dated
    bounds.is_whole = bounds.is_whole and next(by_rule, None) is None


def _overlaps(instance: Instance, start: Instant, end: Instant) -> bool:
    return instance.starts_at < end and (instance.ends_at > start or instance.starts_at >= start)


def _dated(
    master: ReadEvent, occurrence: expansion.Occurrence, ranges: Sequence[tuple[Instant, ReadEvent]]
) -> Instance:
    """A date from the rule, shifted by the last "this and following" override at or before it (RFC 5545, section
    3.2.13).
    """
    number = bisect_right(ranges, occurrence.at, key=_named_at)
    if not number:
        return _instance(master, occurrence.at, _zone(master), None)
    original, event = ranges[number - 1]
    shift = event.pattern.start - _wall(original, event)
    at = instant_of(_wall(occurrence.at, event) + shift, _zone(event))
    return _instance(event, at, _zone(event), original if occurrence.at == original else None)


def _named_at(one: tuple[Instant, ReadEvent]) -> Instant:
    return one[0]


def _single(event: ReadEvent, original: Instant) -> Instance:
    return _instance(event, instant_of(event.pattern.start, _zone(event)), _zone(event), original)


def _instance(event: ReadEvent, at: Instant, zone: str, original: Instant | None) -> Instance:
    length = event.length or timedelta(0)
    # The end is computed in wall-clock time: a day can have 23 or 25 hours.
    is_days = event.pattern.is_all_day
    ends = instant_of(_wall(at, event) + length, zone) if is_days else Instant(at + _span(length))
    return Instance(event, at, ends, zone, original)


def _wall(at: Instant, event: ReadEvent) -> datetime:
    return local_of(at, _zone(event)).replace(tzinfo=None)


def _zone(event: ReadEvent) -> str:
    return event.pattern.zone_or_utc


def _span(length: timedelta) -> int:
    return length // _MICROSECOND


def combine_overrides(group: Sequence[ReadEvent]) -> ReadEvent | None:
    """Combine the overrides of one UID into a series with the original starts as dates. None if there is only one date.

    The content is that of the first date that is not cancelled. The series is cancelled if all its dates are.
    """
    dates = sorted(newest_of(group), key=lambda event: _moment(event.pattern, _original(event)))
    if len(dates) < 2:
        return None
    # All-day dates have no time of day. A timed series can include one, but an all-day series cannot include a timed
    # date.
    is_all_day = all(event.pattern.is_all_day for event in dates)
    fit = [event for event in dates if event.pattern.is_all_day is is_all_day]
    head = next((event for event in fit if not event.is_cancelled), fit[0])
    names = sorted({original_in_series(head.pattern, event) for event in dates})
    warnings = [
        ngettext(
            "The file has %(number)s date of this series but not its rule, so only that date is imported.",
            "The file has %(number)s dates of this series but not its rule, so only those dates are imported.",
            len(names),
        )
    ]
    if len(names) > MAX_DATES + 1:
        warnings.append(gettext("Only the first %(most)s dates are imported.", most=number(MAX_DATES + 1)))
    return replace(
        head,
        overrides=None,
        pattern=Pattern(
            names[0],
            head.pattern.zone_name,
            added=tuple(names[1 : MAX_DATES + 1]),
            is_all_day=is_all_day,
        ),
        is_cancelled=all(event.is_cancelled for event in dates),
        warnings=(*warnings, *head.warnings),
    )


def newest_of(group: Sequence[ReadEvent]) -> list[ReadEvent]:
    """Return the overrides in a group, one per date: the one with the highest SEQUENCE."""
    newest: dict[Instant, ReadEvent] = {}
    for event in sorted(group, key=lambda event: event.sequence):
        if event.overrides is not None:
            newest[_moment(event.pattern, event.overrides.original)] = event
    return list(newest.values())


def original_in_series(series: Pattern, change: ReadEvent) -> datetime:
    """The original date of an override, in the zone of its series, whichever zone the override itself uses."""
    original = _original(change)
    if series.is_all_day:
        return original.replace(hour=0, minute=0, second=0)
    if change.overrides is not None and change.overrides.is_day:
        return _date_on(series, original)
    if change.pattern.zone_name == series.zone_name:
        return original
    return local_of(_moment(change.pattern, original), series.zone_or_utc).replace(tzinfo=None, fold=0)


def _date_on(series: Pattern, day: datetime) -> datetime:
    """The first date of a timed series on this day. If the rule has none on it, the day with the time of the series'
    first date.
    """
    begin, end = (_moment(series, day + timedelta(days=days)) for days in (0, 1))
    dates = [one.original for one in expansion.walk(series, begin, end) if one.original.date() == day.date()]
    return (
        dates[0]
        if dates
        else day.replace(hour=series.start.hour, minute=series.start.minute, second=series.start.second)
    )


def _original(event: ReadEvent) -> datetime:
    assert event.overrides is not None  # noqa: S101  # only called for overrides
    return event.overrides.original


def _moment(pattern: Pattern, at: datetime) -> Instant:
    return instant_of(at, pattern.zone_or_utc)
