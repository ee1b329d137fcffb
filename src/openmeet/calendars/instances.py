"""The dates of a read calendar: rules expanded, changes to single dates and to "this and following" laid over them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from groundwork.clock import Instant
from openmeet.calendars.model import ReadEvent
from openmeet.calendars.stray_dates import gathered, name_in
from openmeet.recurrence import expansion
from openmeet.recurrence.wall_time import instant_of, local_of

MOST = 10_000
_MICROSECOND = timedelta(microseconds=1)
# How far from its place in the rule a single date may have been moved and still be found in a window.
_MOVED = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Instance:
    """One date. ``event`` says what it is; ``original`` is set where it is a change to a date of a series."""

    event: ReadEvent
    starts_at: Instant
    ends_at: Instant
    zone_name: str
    original: Instant | None = None


def instances(events: Iterable[ReadEvent], start: Instant, end: Instant) -> list[Instance]:
    """The dates that overlap ``[start, end)``, in order; at most ``MOST``."""
    by_uid: dict[str, list[ReadEvent]] = {}
    for event in events:
        by_uid.setdefault(event.uid, []).append(event)
    found = [one for group in by_uid.values() for one in _of_one(group, start, end)]
    found.sort(key=lambda one: (one.starts_at, one.event.number))
    return found[:MOST]


def masters(events: Iterable[ReadEvent]) -> list[ReadEvent]:
    """One event per UID, the newest that is no change to another; changes without their series are one of these dates."""
    by_uid: dict[str, list[ReadEvent]] = {}
    for event in events:
        by_uid.setdefault(event.uid, []).append(event)
    return [_master(group) for group in by_uid.values()]


def _master(group: Sequence[ReadEvent]) -> ReadEvent:
    whole = [event for event in group if event.overrides is None]
    stray = None if whole else gathered(group)
    return stray or max(whole or group, key=lambda event: event.sequence)


def _of_one(group: Sequence[ReadEvent], start: Instant, end: Instant) -> list[Instance]:
    whole = [event for event in group if event.overrides is None]
    singles: dict[Instant, ReadEvent] = {}
    ranges: list[tuple[Instant, ReadEvent]] = []
    master = max(whole, key=lambda event: event.sequence) if whole else None
    for event in sorted(group, key=lambda event: event.sequence):
        if event.overrides is None:
            continue
        original = instant_of(event.overrides.original, _zone(event))
        if master is not None and event.overrides.is_day:
            original = instant_of(name_in(master.pattern, event), _zone(master))
        if event.overrides.and_following:
            ranges.append((original, event))
        else:
            singles[original] = event
    found = [_single(event, original) for original, event in singles.items()]
    ranges.sort(key=lambda pair: pair[0])
    if master is None:
        found += [_single(event, original) for original, event in ranges]
    else:
        reach = _span(_MOVED) if ranges else _span(master.length or timedelta(0))
        for one in expansion.between(master.pattern, Instant(start - reach), Instant(end + (reach if ranges else 0))):
            if one.at not in singles:
                found.append(_dated(master, one, ranges))
    return [one for one in found if one.starts_at < end and (one.ends_at > start or one.starts_at >= start)]


def _dated(master: ReadEvent, one: expansion.Occurrence, ranges: Sequence[tuple[Instant, ReadEvent]]) -> Instance:
    """A date by the rule, shifted by the last "this and following" at or before it (RFC 5545, section 3.2.13)."""
    behind = [(original, event) for original, event in ranges if original <= one.at]
    if not behind:
        return _instance(master, one.at, _zone(master), None)
    original, event = behind[-1]
    assert event.overrides is not None  # noqa: S101  # ranges hold nothing else
    shift = event.pattern.start - _wall(original, event)
    at = instant_of(_wall(one.at, event) + shift, _zone(event))
    return _instance(event, at, _zone(event), original if one.at == original else None)


def _single(event: ReadEvent, original: Instant) -> Instance:
    return _instance(event, instant_of(event.pattern.start, _zone(event)), _zone(event), original)


def _instance(event: ReadEvent, at: Instant, zone: str, original: Instant | None) -> Instance:
    length = event.length or timedelta(0)
    # A day is a day, however many hours the clocks give it.
    is_days = event.pattern.is_all_day
    ends = instant_of(_wall(at, event) + length, zone) if is_days else Instant(at + _span(length))
    return Instance(event, at, ends, zone, original)


def _wall(at: Instant, event: ReadEvent) -> datetime:
    return local_of(at, _zone(event)).replace(tzinfo=None)


def _zone(event: ReadEvent) -> str:
    return event.pattern.zone_name or "UTC"


def _span(length: timedelta) -> int:
    return length // _MICROSECOND
