"""Dates that a rule selects, as wall-clock times, period by period. ``expansion`` applies its end and the exclusions.

Source: RFC 5545, section 3.3.10, with the table of its BY… parts. There are only fourteen kinds of year (leap year or
not, and seven weekdays for 1 January), so the days that a rule selects are computed once per kind, and a rule that
selects one day in a century costs no more than a weekly one. Positions (BYSETPOS) are computed, never enumerated.

The work is counted in steps: one for each year or week, one for each day that is tried, and one for each date.
"""

import calendar
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Final, TypeAlias

from openmeet.recurrence.errors import RecurrenceReason, RuleErrorCode, RuleRefused
from openmeet.recurrence.rule import Rule, Weekday

# No dates are returned after this day. It is a century after the last date that can be written.
END: Final = datetime(2300, 1, 1)  # noqa: DTZ001  # wall time is naive here
# Enough to find all dates of any rule with at most one time a day over 275 years, as a test checks. Sparser rules need
# a hundredth of that.
MAX_STEPS: Final = 250_000

_Times: TypeAlias = tuple[time, ...]


@dataclass(slots=True)
class Steps:
    """Step counter of one expansion, or of several that share a limit."""

    taken: int = 0
    most: int = MAX_STEPS

    def take(self, number: int = 1) -> None:
        """Count steps. Raises RuleRefused (TOO_MANY_DATES) beyond the limit."""
        self.taken += number
        if self.taken > self.most:
            why = RecurrenceReason.TOO_MANY_STEPS
            raise RuleRefused(RuleErrorCode.TOO_MANY_DATES, "", why)


def dates_by_rule(
    first: datetime, rule: Rule, begin: datetime, end: datetime, steps: Steps | None = None
) -> Iterator[datetime]:
    """Dates in ``[begin, end)``, in order, from ``first`` on. ``first`` itself is included only if the rule selects it.

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
    """Whether the rule is only "every n days", or "every n weeks on these weekdays", as nearly all rules are."""
    return rule == Rule(
        rule.freq, rule.interval, rule.count, rule.until, by_day=rule.by_day, week_start=rule.week_start
    ) and (rule.freq == "WEEKLY" or (rule.freq == "DAILY" and not rule.by_day))


def _plain_days(first: datetime, rule: Rule, begin: date, end: date) -> Iterator[date]:
    """The days of a plain rule, possibly with one more period on either side. Takes a third of the time of the general
    algorithm.
    """
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
    """The rule with the defaults from its start filled in, and without the parts that are the same for all its days."""
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
    """Expand week by week, because years do not consist of whole weeks."""
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


# Large enough for a hundred common rules in all kinds of year. An entry has at most 366 days, which share at most 48
# times.
@lru_cache(maxsize=2_000)
def named_days(rule: Rule, weekday: int, *, is_leap: bool, was_leap: bool) -> tuple[tuple[int, int, _Times], ...]:
    """The days that a rule selects in one kind of year, ignoring INTERVAL: day number in the year (from 0), month,
    times of the day.

    ``weekday`` is the weekday of 1 January. ``was_leap``: the year before was a leap year, which matters for the week
    that both years share. ``rule`` is daily, monthly or yearly, with its defaults filled in.
    """
    times = _times(rule)
    days = [one for one in _days_of(weekday, is_leap=is_leap) if _is_named(rule, one, was_leap=was_leap)]
    named: list[tuple[int, int, _Times]] = []
    # Positions select from a set: a day, a month or the whole year.
    for _, some in groupby(days, key={"DAILY": _number, "MONTHLY": _month}.get(rule.freq, _nothing)):
        period = list(some)
        for which, own in _chosen(len(period), times, rule.by_position):
            named.append((period[which].number, period[which].month, own))
    return tuple(named)


def _chosen(days: int, times: _Times, positions: tuple[int, ...]) -> Iterator[tuple[int, _Times]]:
    """Which of the ``days`` of a period the positions select, as day numbers from 0, each with its selected times."""
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
    """A day of a kind of year, with everything that a rule can test. ``number`` and ``weekday`` count from 0, ``month``
    and ``day`` from 1.
    """

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
    # "The second Monday" counts within the month, or within the year if a yearly rule has no BYMONTH.
    is_of_year = rule.freq == "YEARLY" and not rule.by_month
    number, total = (day.number + 1, day.year_days) if is_of_year else (day.day, day.month_days)
    return wanted.nth in {0, (number - 1) // 7 + 1, -((total - number) // 7 + 1)}


def _week(day: _Day, week_start: int, *, was_leap: bool) -> tuple[int, int]:
    """The number of a day's week, and how many weeks its year has. A week belongs to the year of its fourth day."""
    fourth = day.number - (day.weekday - week_start) % 7 + 3
    year_days = day.year_days
    if fourth < 0:
        year_days = 366 if was_leap else 365
        fourth += year_days
    elif fourth >= year_days:
        return 1, _ANY_WEEKS
    # A year has as many weeks as it contains fourth days of a week.
    return fourth // 7 + 1, (year_days - 1 - fourth) // 7 + fourth // 7 + 1


# For days in the first week of the next year. That year's number of weeks is not computed, so the day is never in its
# week -52 or -53.
_ANY_WEEKS: Final = 200


def _number(day: _Day) -> int:
    return day.number


def _month(day: _Day) -> int:
    return day.month


def _nothing(_: _Day) -> int:
    return 0
