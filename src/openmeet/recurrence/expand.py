"""Expand a rule to wall-clock dates, period by period; ends and exclusions are applied by ``expansion``.

Source: RFC 5545, section 3.3.10, with the table of its BY… parts. There are only fourteen kinds of year (leap or not,
and seven first weekdays), so the days that a rule names are computed once per kind, and a rule that names one day in a
century costs no more than a weekly one. Positions (BYSETPOS) are computed, never enumerated.

The work is counted in steps: one for each year or week, one for each day that is tried, one for each date.
"""

import calendar
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Final, TypeAlias

from openmeet.recurrence.errors import RuleErrorCode, RuleRefused
from openmeet.recurrence.reasons import RecurrenceReason
from openmeet.recurrence.rule import Rule, Weekday

# No dates after this day: a century after the last one that can be written.
END: Final = datetime(2300, 1, 1)  # noqa: DTZ001  # wall time is naive here
# A test over 275 years finds every rule with at most one time a day within these; sparser ones take a hundred of them.
MAX_STEPS: Final = 250_000

_Times: TypeAlias = tuple[time, ...]


@dataclass(slots=True)
class Steps:
    """Steps of one expansion, or of several that share a limit."""

    taken: int = 0
    most: int = MAX_STEPS

    def take(self, number: int = 1) -> None:
        """Raises RuleRefused (TOO_MANY_DATES) beyond the limit."""
        self.taken += number
        if self.taken > self.most:
            why = RecurrenceReason.TOO_MANY_STEPS
            raise RuleRefused(RuleErrorCode.TOO_MANY_DATES, "", why)


def dates_by_rule(
    first: datetime, rule: Rule, begin: datetime, end: datetime, steps: Steps | None = None
) -> Iterator[datetime]:
    """Dates in ``[begin, end)``, in order, none before ``first``, whose own time counts where the rule names it.

    The end of the rule (COUNT, UNTIL) is ignored. Raises RuleRefused (TOO_MANY_DATES).
    """
    begin, end, steps = max(first, begin), min(end, END), steps or Steps()
    if begin >= end:
        return
    reach = begin.date(), end.date()
    days: Iterator[tuple[date, _Times]]
    if _is_plain(rule):
        days = ((day, (first.time().replace(fold=0),)) for day in _plain_days(first, rule, *reach))
    else:
        full = _spelt_out(first, rule)
        by_periods = _by_weeks if full.freq == "WEEKLY" else _by_years
        days = by_periods(first, full, *reach, steps)
    for day, times in days:
        for at in times:
            steps.take()
            moment = datetime.combine(day, at)
            if moment >= end:
                return
            if moment >= begin:
                yield moment


def _is_plain(rule: Rule) -> bool:
    """Whether it is only "every n days", or every n weeks on these weekdays: nearly all rules of people."""
    return rule == Rule(
        rule.freq, rule.interval, rule.count, rule.until, by_day=rule.by_day, week_start=rule.week_start
    ) and (rule.freq == "WEEKLY" or (rule.freq == "DAILY" and not rule.by_day))


def _plain_days(first: datetime, rule: Rule, begin: date, end: date) -> Iterator[date]:
    """The days of a plain rule, perhaps with a period more on either side, in a third of the general algorithm's time."""
    if rule.freq == "DAILY":
        period, days = first.date(), [0]
        step = timedelta(days=rule.interval)
    else:
        since = (first.weekday() - rule.week_start) % 7
        period = first.date() - timedelta(days=since)
        days = sorted({(day.day - rule.week_start) % 7 for day in rule.by_day} or {since})
        step = timedelta(weeks=rule.interval)
    period += max(0, (begin - period) // step) * step
    offsets = [timedelta(days=day) for day in days]
    while period <= end:
        for offset in offsets:
            yield period + offset
        period += step


def _spelt_out(first: datetime, rule: Rule) -> Rule:
    """The rule with all defaults from its start filled in, and without parts that are the same for all its days."""
    if not (rule.by_week or rule.by_year_day or rule.by_month_day or rule.by_day):
        match rule.freq:
            case "YEARLY":
                rule = replace(rule, by_month=rule.by_month or (first.month,), by_month_day=(first.day,))
            case "MONTHLY":
                rule = replace(rule, by_month_day=(first.day,))
            case "WEEKLY":
                rule = replace(rule, by_day=(Weekday(first.weekday()),))
    return replace(
        rule,
        count=None,
        until=None,
        by_hour=rule.by_hour or (first.hour,),
        by_minute=rule.by_minute or (first.minute,),
        by_second=rule.by_second or (first.second,),
    )


def _by_weeks(first: datetime, rule: Rule, begin: date, end: date, steps: Steps) -> Iterator[tuple[date, _Times]]:
    """Weeks do not divide a year: they are expanded one by one."""
    times = _times(rule)
    week = first.date() - timedelta(days=(first.weekday() - rule.week_start) % 7)
    step = timedelta(weeks=rule.interval)
    week += max(0, (begin - week) // step) * step
    offsets = [timedelta(days=number) for number in sorted({(day.day - rule.week_start) % 7 for day in rule.by_day})]
    while week <= end:
        steps.take()
        days = [day for day in (week + offset for offset in offsets) if not rule.by_month or day.month in rule.by_month]
        steps.take(len(days))
        for which, own in _chosen(len(days), times, rule.by_position):
            yield days[which], own
        week += step


def _by_years(first: datetime, rule: Rule, begin: date, end: date, steps: Steps) -> Iterator[tuple[date, _Times]]:
    timeless = replace(rule, interval=1)
    for year in range(begin.year, end.year + 1):
        steps.take()
        if rule.freq == "YEARLY" and (year - first.year) % rule.interval:
            continue
        new_year = date(year, 1, 1)
        was_leap = bool(rule.by_week) and calendar.isleap(year - 1)
        named = named_days(timeless, new_year.weekday(), is_leap=calendar.isleap(year), was_leap=was_leap)
        base = new_year.toordinal()
        since, until = (bisect_left(named, (ordinal - base,)) for ordinal in (begin.toordinal(), end.toordinal() + 1))
        for number, month, times in named[since:until]:
            steps.take()
            if rule.freq == "DAILY" and (base + number - first.toordinal()) % rule.interval:
                continue
            if rule.freq == "MONTHLY" and ((year - first.year) * 12 + month - first.month) % rule.interval:
                continue
            yield date.fromordinal(base + number), times


# A hundred common rules in all kinds of year; an entry has at most 366 days with at most 48 shared times.
@lru_cache(maxsize=2_000)
def named_days(rule: Rule, weekday: int, *, is_leap: bool, was_leap: bool) -> tuple[tuple[int, int, _Times], ...]:
    """The days of one kind of year, without INTERVAL: day number in the year from 0, month, times of the day.

    ``weekday`` is that of the first of January; ``was_leap`` is of the year before, for the week that both share.
    ``rule`` is a daily, monthly or yearly one with defaults filled in.
    """
    times = _times(rule)
    days = [one for one in _days_of(weekday, is_leap=is_leap) if _is_named(rule, one, was_leap=was_leap)]
    found: list[tuple[int, int, _Times]] = []
    # A day, a month or the year is one set, from which positions choose.
    for _, some in groupby(days, key={"DAILY": _number, "MONTHLY": _month}.get(rule.freq, _nothing)):
        period = list(some)
        for which, own in _chosen(len(period), times, rule.by_position):
            found.append((period[which].number, period[which].month, own))
    return tuple(found)


def _chosen(days: int, times: _Times, positions: tuple[int, ...]) -> Iterator[tuple[int, _Times]]:
    """The days at the positions, of so many days of one period, each with all its times; days by number."""
    if not positions:
        yield from ((day, times) for day in range(days))
        return
    total = days * len(times)
    places = {position - 1 if position > 0 else total + position for position in positions}
    for which, own in groupby(
        sorted(place for place in places if 0 <= place < total), lambda place: place // len(times)
    ):
        yield which, tuple(times[place % len(times)] for place in own)


def _times(rule: Rule) -> _Times:
    return tuple(
        time(hour, minute, second) for hour in rule.by_hour for minute in rule.by_minute for second in rule.by_second
    )


@dataclass(frozen=True, slots=True)
class _Day:
    """A day of a kind of year, with all that a rule can test. Numbers count from 0, ``day`` of the month from 1."""

    number: int
    month: int
    day: int
    month_days: int
    year_days: int
    weekday: int


@lru_cache(maxsize=14)
def _days_of(weekday: int, *, is_leap: bool) -> tuple[_Day, ...]:
    lengths = [31, 29 if is_leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    of_months = [(month, day, length) for month, length in enumerate(lengths, 1) for day in range(1, length + 1)]
    return tuple(
        _Day(number, month, day, length, sum(lengths), (weekday + number) % 7)
        for number, (month, day, length) in enumerate(of_months)
    )


def _is_named(rule: Rule, day: _Day, *, was_leap: bool) -> bool:
    if rule.by_month and day.month not in rule.by_month:
        return False
    if rule.by_month_day and not _is_among(rule.by_month_day, day.day, day.month_days):
        return False
    if rule.by_year_day and not _is_among(rule.by_year_day, day.number + 1, day.year_days):
        return False
    if rule.by_week and not _is_among(rule.by_week, *_week(day, rule.week_start, was_leap=was_leap)):
        return False
    return not rule.by_day or any(_is_weekday(rule, day, one) for one in rule.by_day)


def _is_among(numbers: Iterable[int], number: int, total: int) -> bool:
    return number in numbers or number - total - 1 in numbers


def _is_weekday(rule: Rule, day: _Day, wanted: Weekday) -> bool:
    if day.weekday != wanted.day:
        return False
    # The second Monday is one of the month, or of the year where a yearly rule names no month.
    is_of_year = rule.freq == "YEARLY" and not rule.by_month
    number, total = (day.number + 1, day.year_days) if is_of_year else (day.day, day.month_days)
    return wanted.nth in {0, (number - 1) // 7 + 1, -((total - number) // 7 + 1)}


def _week(day: _Day, week_start: int, *, was_leap: bool) -> tuple[int, int]:
    """The number of a day's week, and how many weeks its year has: a week belongs to the year of its fourth day."""
    fourth = day.number - (day.weekday - week_start) % 7 + 3
    year_days = day.year_days
    if fourth < 0:
        year_days = 366 if was_leap else 365
        fourth += year_days
    elif fourth >= year_days:
        return 1, _ANY_WEEKS
    # A year has as many weeks as fourth days of weeks.
    return fourth // 7 + 1, (year_days - 1 - fourth) // 7 + fourth // 7 + 1


# The first week of the next year: that year's number of weeks is left open, so the day is never in its week -52 or -53.
_ANY_WEEKS: Final = 200


def _number(day: _Day) -> int:
    return day.number


def _month(day: _Day) -> int:
    return day.month


def _nothing(_: _Day) -> int:
    return 0
