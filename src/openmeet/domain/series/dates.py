"""Details of a date, combined from the series' content and the date's own overridden fields. Pure."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from groundwork.clock import Instant
from groundwork.errors import NotFound
from openmeet.domain.events.all_day import end_after
from openmeet.domain.events.content import NAMES, Content
from openmeet.domain.events.edits import ENDS, STARTS, ZONE, length_of, local_text
from openmeet.domain.events.model import Details
from openmeet.domain.series.model import Timing
from openmeet.domain.series.reasons import SeriesReason
from openmeet.recurrence.rule_dates import END
from openmeet.recurrence.wall_time import FIRST_YEAR, instant_of, midnight

_MICROSECOND = timedelta(microseconds=1)


def original_text(original: datetime) -> str:
    """Format a date's name: its wall-clock time according to the rule."""
    return original.isoformat(timespec="seconds")


def original_of(text: str) -> datetime:
    """Parse a name written by ``original_text``."""
    return datetime.fromisoformat(text)


def checked_name(text: str) -> str:
    """Normalize a date's name from a request. Raises NotFound if it cannot be the name of a date."""
    name = _normal(text)
    if not FIRST_YEAR <= int(name[:4]) < END.year:
        raise NotFound(SeriesReason.NO_SUCH_DATE)
    return name


def end_of_range(text: str) -> str:
    """The last name in a range that ends with this date or day. Raises NotFound."""
    name = _normal(text)
    is_day = "T" not in text and name.endswith("T00:00:00")
    return f"{name[:10]}T23:59:59" if is_day else name


def _normal(text: str) -> str:
    try:
        return original_text(datetime.fromisoformat(text).replace(tzinfo=None))
    except ValueError:
        raise NotFound(SeriesReason.NO_SUCH_DATE) from None


def details_of(content: Content, timing: Timing, original: datetime) -> Details:
    """Details of a date without overrides."""
    zone = timing.pattern.zone_or_utc
    starts_at = instant_of(original, zone)
    return Details(
        content=content,
        starts_local=local_text(starts_at, zone),
        time_zone=zone,
        starts_at=starts_at,
        ends_at=_end(starts_at, timing, zone),
        is_all_day=timing.pattern.is_all_day,
    )


def apply_series_details(own: Details, usual: Details, overridden: tuple[str, ...]) -> Details:
    """Details of a date after its series changed: the series' fields, except those overridden by the date."""
    overridden_values = {name: getattr(own.content, name) for name in overridden if name in NAMES}
    zone = own.time_zone if ZONE in overridden else usual.time_zone
    # A date with its own start is a whole day or has a time of day, whatever the others are.
    is_all_day = own.is_all_day if STARTS in overridden else usual.is_all_day
    if STARTS in overridden:
        starts_at = own.starts_at
    elif is_all_day and zone != usual.time_zone:
        # The same day, which begins at another instant in each zone.
        starts_at = midnight(date.fromisoformat(usual.starts_local[:10]), zone)
    else:
        starts_at = usual.starts_at
    is_own_length = ENDS in overridden or is_all_day is not usual.is_all_day
    length = length_of(own if is_own_length and own.is_all_day is is_all_day else usual)
    return replace(
        usual,
        content=replace(usual.content, **overridden_values),
        is_all_day=is_all_day,
        time_zone=zone,
        starts_at=starts_at,
        starts_local=local_text(starts_at, zone),
        ends_at=None if length is None else end_after(starts_at, length, zone, is_all_day=is_all_day),
    )


def _end(starts_at: Instant, timing: Timing, zone: str) -> Instant | None:
    if timing.length is None:
        return None
    return end_after(starts_at, timing.length // _MICROSECOND, zone, is_all_day=timing.pattern.is_all_day)


def length_in(details: Details) -> timedelta | None:
    """Duration of an event; for all-day events, a whole number of days. None if it has no end."""
    length = length_of(details)
    return None if length is None else timedelta(microseconds=length)
