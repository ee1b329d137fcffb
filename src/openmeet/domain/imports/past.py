"""When imported events are over, so that past ones are not selected at first. Pure, bounded work."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from groundwork.clock import HOUR, Instant
from openmeet.domain.events.rules import Submission
from openmeet.domain.imports.model import ImportedEvent
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.expansion import last_of
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.wall_time import instant_of


def with_end(imported: ImportedEvent, pattern: Pattern | None = None) -> ImportedEvent:
    """The event with its ``over_at``: its end, or that of the last date of a series with this pattern."""
    ends = _end_of(imported.typed)
    if pattern is not None and ends is not None:
        ends = max(_ends_of_series(imported, pattern, ends), default=None)
    return replace(imported, over_at=ends)


def _ends_of_series(imported: ImportedEvent, pattern: Pattern, first_end: Instant) -> Iterator[Instant]:
    """The end of the last date by the rule, and those of changed dates. None at all if the series does not end."""
    pattern = replace(pattern, zone_name=imported.typed.time_zone)
    try:
        last = last_of(pattern)
    except RuleRefused:  # more dates than one expansion may compute
        last = None
    if last is None:
        return
    yield Instant(first_end - pattern.instant_of(pattern.start) + last.at)
    for change in imported.changes:
        ends = None if change.is_cancelled else _end_of(change.typed)
        if ends is not None:
            original = pattern.instant_of(datetime.fromisoformat(change.original))
            # The dates after it move with it.
            yield Instant(ends + max(0, last.at - original)) if change.and_following else ends


def _end_of(typed: Submission) -> Instant | None:
    """When a single date counts as over: see ``Event.over_at``. None without a start."""
    if not typed.starts:
        return None
    ends = datetime.fromisoformat(typed.ends or typed.starts)
    if typed.all_day:
        return instant_of(ends + timedelta(days=1), typed.time_zone)
    return Instant(instant_of(ends, typed.time_zone) + (0 if typed.ends else HOUR))
