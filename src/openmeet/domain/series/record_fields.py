"""The fields of a series record, in which versions of the record and edits of the series are compared. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from openmeet.domain.events.content import Content
from openmeet.domain.events.values import Mode, Venue
from openmeet.domain.series.dates import original_of, original_text
from openmeet.domain.series.model import Timing
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import format_rule, parse_rule


@dataclass(frozen=True, slots=True)
class SeriesRecordFields:
    """The content of a series record, field by field. ``start``: local time. ``minutes``: duration; None if dates have
    no end.

    ``left_out`` and ``added``: dates at the time of day of ``start`` are stored as the day only, so that they move
    along when the time changes.
    """

    name: str
    description: str
    time_zone: str
    start: str
    minutes: int | None
    rule: str
    left_out: tuple[str, ...]
    added: tuple[str, ...]
    mode: Mode
    venue: Venue


def fields_of(content: Content, timing: Timing) -> SeriesRecordFields:
    """Return the fields of a record with this content and timing."""
    shape, length = timing.pattern, timing.length
    return SeriesRecordFields(
        name=content.title,
        description=content.description,
        time_zone=shape.zone_or_utc,
        start=original_text(shape.start),
        minutes=None if length is None else round(length.total_seconds() / 60),
        rule="" if shape.rule is None else format_rule(shape.rule),
        left_out=_by_day(shape.left_out, shape.start),
        added=_by_day(shape.added, shape.start),
        mode=content.mode,
        venue=content.venue,
    )


def timing_of(stated: SeriesRecordFields, *, is_all_day: bool) -> Timing:
    """Return the timing of the series. Raises RuleRefused."""
    start = original_of(stated.start)
    shape = pattern(
        start,
        stated.time_zone,
        parse_rule(stated.rule) if stated.rule else None,
        left_out=[_at(text, start) for text in stated.left_out],
        added=[_at(text, start) for text in stated.added],
        is_all_day=is_all_day and start.time() == datetime.min.time(),
    )
    return Timing(shape, None if stated.minutes is None else timedelta(minutes=stated.minutes))


def _by_day(dates: Iterable[datetime], start: datetime) -> tuple[str, ...]:
    return tuple(at.date().isoformat() if at.time() == start.time() else original_text(at) for at in dates)


def _at(text: str, start: datetime) -> datetime:
    return original_of(text) if "T" in text else datetime.combine(date.fromisoformat(text), start.time())
