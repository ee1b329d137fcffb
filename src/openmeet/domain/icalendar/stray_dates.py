"""Dates of a series whose own entry is not in the file: read as a series of exactly these dates.

Feeds of many events write so (of a group, a person, a search): each date is a VEVENT with the UID of its series and a
RECURRENCE-ID, and the rule stands nowhere, because not every date that it names is in the feed.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from groundwork.clock import Instant
from openmeet.domain.icalendar.model import ReadEvent
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import MAX_DATES, Pattern
from openmeet.recurrence.wall_time import instant_of, local_of


def gathered(group: Sequence[ReadEvent]) -> ReadEvent | None:
    """One series of these dates of one UID, at their original places; None where there is one date, which stands alone.

    Its words are those of the first date that takes place; it is called off where all are.
    """
    dates = sorted(newest_of(group), key=lambda event: _moment(event.pattern, _original(event)))
    if len(dates) < 2:
        return None
    # A whole day has no hours, so that a series of times can name it, and not the other way round.
    is_all_day = all(event.pattern.is_all_day for event in dates)
    fit = [event for event in dates if event.pattern.is_all_day is is_all_day]
    head = next((event for event in fit if not event.is_cancelled), fit[0])
    names = sorted({name_in(head.pattern, event) for event in dates})
    warnings = [f"The file has {len(names):,} dates of this series and not the series itself: these dates are taken."]
    if len(names) > MAX_DATES + 1:
        warnings.append(f"Only the first {MAX_DATES + 1:,} dates are taken.")
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
    """Of the changes in a group each date once, as the highest SEQUENCE has it."""
    found: dict[Instant, ReadEvent] = {}
    for event in sorted(group, key=lambda event: event.sequence):
        if event.overrides is not None:
            found[_moment(event.pattern, event.overrides.original)] = event
    return list(found.values())


def name_in(series: Pattern, change: ReadEvent) -> datetime:
    """The date that a change is about, on the clock of its series, whichever zone the change is written in."""
    original = _original(change)
    if series.is_all_day:
        return original.replace(hour=0, minute=0, second=0)
    if change.overrides is not None and change.overrides.is_day:
        return _date_on(series, original)
    if change.pattern.zone_name == series.zone_name:
        return original
    return local_of(_moment(change.pattern, original), series.zone_name or "UTC").replace(tzinfo=None, fold=0)


def _date_on(series: Pattern, day: datetime) -> datetime:
    """The first date of a series with hours on this day; the hour of its first where the rule names none."""
    begin, end = (_moment(series, day + timedelta(days=days)) for days in (0, 1))
    there = [one.original for one in expansion.walk(series, begin, end) if one.original.date() == day.date()]
    return (
        there[0]
        if there
        else day.replace(hour=series.start.hour, minute=series.start.minute, second=series.start.second)
    )


def _original(event: ReadEvent) -> datetime:
    assert event.overrides is not None  # noqa: S101  # a change to a date
    return event.overrides.original


def _moment(pattern: Pattern, at: datetime) -> Instant:
    return instant_of(at, pattern.zone_name or "UTC")
