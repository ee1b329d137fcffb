"""Preview of a timing before it is saved: its next dates, a sentence, and days that do not exist. Pure."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from groundwork.clock import Instant
from openmeet.domain.series.model import Timing
from openmeet.recurrence import expansion
from openmeet.recurrence.describe import describe
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.wall_time import instant_of, instead_of, local_of

# A first date further ahead than this suggests that another rule was intended.
_MEANT: Final = timedelta(days=5 * 366)
# Steps of a rule to check for months without a date: a year for monthly rules, two leap years for yearly ones.
_STEPS = {"MONTHLY": 12, "YEARLY": 8}


@dataclass(frozen=True, slots=True)
class PreviewedDate:
    """A future date. ``instead_of``: the original wall-clock time if a clock change skips it on that day, otherwise
    None.
    """

    at: Instant
    original: datetime
    starts: datetime
    instead_of: datetime | None


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """Preview of a recurrence rule: a sentence, the next dates and remarks.

    ``silent``: first days of months in which the rule's day does not exist. ``better_start``: if the start is not a
    date of the rule, the first date that is; None if that is too far ahead to be intended. ``idle``: excluded dates
    that are not dates of the rule anyway.
    """

    sentence: str
    dates: tuple[PreviewedDate, ...]
    skipped_hours: tuple[PreviewedDate, ...]
    silent: tuple[datetime, ...]
    last: expansion.Occurrence | None
    start_fits: bool
    better_start: datetime | None
    idle: tuple[datetime, ...]

    @property
    def is_endless(self) -> bool:
        return self.last is None


def summary_of(timing: Timing, now: Instant, count: int) -> RuleSummary:
    """Summarize a timing, with the next ``count`` dates from now on, or from the start if that is later.

    ``skipped_hours`` of the result: dates of the coming year whose time a clock change skips. Raises RuleRefused for a
    rule without dates, or one that ends before it begins.
    """
    pattern = timing.pattern
    expansion.check_entered(pattern)
    zone = pattern.zone_or_utc
    year = [_ahead(pattern, one) for one in expansion.following(pattern, now, max(count, 400))]
    first = expansion.first_by_rule(pattern)
    fits = first is None or first == pattern.start
    return RuleSummary(
        describe(pattern),
        tuple(year[:count]),
        tuple(one for one in year if one.instead_of is not None)[:count],
        tuple(_months_without_date(pattern, local_of(now, zone).replace(tzinfo=None))),
        expansion.last_of(pattern),
        fits,
        None if first is None or fits or first - pattern.start > _MEANT else first,
        expansion.unused_exclusions(pattern),
    )


def _ahead(pattern: Pattern, occurrence: expansion.Occurrence) -> PreviewedDate:
    zone = pattern.zone_or_utc
    starts = local_of(occurrence.at, zone).replace(tzinfo=None)
    skipped = instead_of(occurrence.original, zone) is not None
    return PreviewedDate(occurrence.at, occurrence.original, starts, occurrence.original if skipped else None)


def _months_without_date(pattern: Pattern, now: datetime) -> list[datetime]:
    """Months of the rule that do not have its day: the 31st of April, the fifth Tuesday, 29 February."""
    rule = pattern.rule
    if rule is None or rule.freq not in _STEPS:
        return []
    zone = pattern.zone_or_utc
    months = []
    for month in _months_of_rule(pattern, now):
        first, days = month, monthrange(month.year, month.month)[1]
        start = instant_of(first, zone)
        end = instant_of(first.replace(day=days, hour=23, minute=59, second=59), zone)
        whole = Pattern(pattern.start, pattern.zone_name, rule, is_all_day=pattern.is_all_day)
        is_ended = not expansion.following(whole, end, 1)
        if month > pattern.start and not is_ended and not expansion.between(whole, start, Instant(end + 1)):
            months.append(month)
    return months


def _months_of_rule(pattern: Pattern, now: datetime) -> list[datetime]:
    """First days of the rule's months, from now on."""
    rule = pattern.rule
    assert rule is not None  # noqa: S101  # only called for patterns with a rule
    step = rule.interval * (12 if rule.freq == "YEARLY" else 1)
    if rule.freq == "YEARLY" and (
        rule.by_day or rule.by_week or rule.by_year_day or rule.by_month_day or rule.by_month
    ):
        return []  # the rule covers several months of a year, so a month without a date is expected
    begin = pattern.start.year * 12 + pattern.start.month - 1
    current = now.year * 12 + now.month - 1
    number = begin + max(0, -(-(current - begin) // step)) * step
    months = [number + turn * step for turn in range(_STEPS[rule.freq])]
    firsts = [datetime(month // 12, month % 12 + 1, 1) for month in months]  # noqa: DTZ001  # wall time is naive
    return [first for first in firsts if not rule.by_month or first.month in rule.by_month]
