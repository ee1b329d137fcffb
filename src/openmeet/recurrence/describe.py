"""A pattern in words: "Every second week on Tuesday at 18:00, until 24 December 2026, except 8 December"."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Final

from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import Rule, Until, Weekday
from openmeet.recurrence.wall_time import instant_of, local_of

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_ORDINALS: Final = ("", "first", "second", "third", "fourth", "fifth")
_PERIODS: Final = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
_WORKING = tuple(Weekday(day) for day in range(5))
_WEEKEND = (Weekday(5), Weekday(6))
_WHOLE_WEEK = tuple(Weekday(day) for day in range(7))
# More dates than this are counted instead of listed.
_NAMED_DATES = 6


def describe(pattern: Pattern) -> str:
    """One sentence without a full stop. Times are in the series' zone, which is not named.

    An exception that removes no date is not named either.
    """
    rule = pattern.rule
    if rule is None:
        return _sentence(_single_dates(pattern))
    # A limit may end in a comma, which the text after it needs.
    often = f"{_how_often(rule, pattern.start)} {_at_time(pattern, rule)}"
    text = often.rstrip().removesuffix(",") + _chosen(rule)
    if rule.count is not None:
        text += f", {rule.count:,} times" if rule.count > 1 else ", once"
    if rule.until is not None:
        text += f", until {_date(_last_day(rule.until, pattern))}"
    idle = set(expansion.idle_exceptions(pattern))
    if missing := [at for at in pattern.left_out if at not in idle]:
        text += ", except " + _dates(missing, pattern)
    if pattern.added:
        text += ", and also on " + _dates(pattern.added, pattern)
    return _sentence(text)


def _single_dates(pattern: Pattern) -> str:
    """Single dates, in order; where all are excluded, the first one as it was."""
    dates = sorted({pattern.start, *pattern.added} - set(pattern.left_out)) or [pattern.start]
    first = f"{_date(dates[0].date())} {_at_time(replace(pattern, start=dates[0]), None)}".rstrip()
    if len(dates) == 1:
        return first
    return f"{first} and on {_dates(dates[1:], replace(pattern, start=dates[0]))}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _how_often(rule: Rule, start: datetime) -> str:
    match rule.freq:
        case "DAILY":
            return _daily(rule)
        case "WEEKLY":
            return _weekly(rule, start)
        case "MONTHLY" if _is_plain_monthly(rule):
            return f"on {_days_of_month(rule, start)} of {_every('month', rule.interval)}{_in_months(rule)}"
        case "YEARLY" if _is_plain_yearly(rule):
            return _yearly(rule, start)
        case _:
            return _spelt_out(rule)


def _every(period: str, interval: int) -> str:
    match interval:
        case 1:
            return f"every {period}"
        case 2:
            return f"every second {period}"
        case _:
            return f"every {interval:,} {period}s"


def _daily(rule: Rule) -> str:
    # Seven weekdays are every day.
    limits = ["a " + _weekdays(rule, "or")] if rule.by_day not in {(), _WHOLE_WEEK} else []
    if rule.by_month_day:
        limits.append(_month_days(rule.by_month_day, "or") + " of the month")
    if limits and rule.interval == 1 and not rule.by_month_day:
        return _each_weekday(rule.by_day) + _in_months(rule)
    where = f", where that is {' and '.join(limits)}," if limits else ""
    return _every("day", rule.interval) + where + _in_months(rule)


def _weekly(rule: Rule, start: datetime) -> str:
    days = rule.by_day or (Weekday(start.weekday()),)
    if rule.interval == 1:
        if len(days) == 7:
            return "every day" + _in_months(rule)
        return _each_weekday(days) + _in_months(rule)
    if len(days) == 1:
        return f"every {_nth_word(rule.interval)} {WEEKDAYS[days[0].day]}{_in_months(rule)}"
    named = "every day" if len(days) == 7 else _weekday_list(days)
    return f"{_every('week', rule.interval)} on {named}{_weeks_begin(rule)}{_in_months(rule)}"


def _each_weekday(days: Sequence[Weekday]) -> str:
    return "every weekday (Monday to Friday)" if tuple(days) == _WORKING else f"every {_weekday_list(days)}"


def _nth_word(interval: int) -> str:
    return {2: "second", 3: "third", 4: "fourth", 5: "fifth"}.get(interval, f"{interval}th")


def _weekday_list(days: Sequence[Weekday]) -> str:
    if tuple(days) == _WORKING:
        return "Monday to Friday"
    return _list([WEEKDAYS[day.day] for day in days], "and")


def _weekdays(rule: Rule, joined: str) -> str:
    return _list([WEEKDAYS[day.day] for day in rule.by_day], joined)


def _is_plain_monthly(rule: Rule) -> bool:
    """Whether days of a month have a short wording: "Friday the 13th" has; "the second Friday, if it is the 13th" has
    none.
    """
    return not (rule.by_month_day and any(day.nth for day in rule.by_day))


def _is_plain_yearly(rule: Rule) -> bool:
    if rule.by_week:
        return not (rule.by_month or rule.by_month_day or rule.by_year_day)
    if rule.by_year_day:
        return not (rule.by_month or rule.by_month_day or rule.by_day)
    return _is_plain_monthly(rule)


def _days_of_month(rule: Rule, start: datetime) -> str:
    if _names_positions(rule):
        return _positions(rule)
    if rule.by_day == _WHOLE_WEEK:
        return _month_days(rule.by_month_day, "and") if rule.by_month_day else "every day"
    if rule.by_day and rule.by_month_day:
        return f"{_weekdays(rule, 'or')} {_month_days(rule.by_month_day, 'or')}"
    if rule.by_day:
        return _list([_weekday_in_month(day) for day in rule.by_day], "and")
    return _month_days(rule.by_month_day or (start.day,), "and")


def _spelt_out(rule: Rule) -> str:
    """The generic wording: every part, one after the other; a date must match all of them."""
    is_of_year = rule.freq == "YEARLY" and not rule.by_month
    period = "year" if is_of_year else "month"
    parts = []
    if rule.by_day not in {(), _WHOLE_WEEK}:
        named = [
            f"the {_ordinal(day.nth)} {WEEKDAYS[day.day]} of the {period}" if day.nth else f"a {WEEKDAYS[day.day]}"
            for day in rule.by_day
        ]
        parts.append(_list(named, "or"))
    if rule.by_month_day:
        parts.append(_month_days(rule.by_month_day, "or") + " of the month")
    if rule.by_year_day:
        parts.append(_list([_year_day(day) for day in rule.by_year_day], "or") + " of the year")
    if rule.by_week:
        parts.append("in " + _weeks(rule, "or"))
    if rule.by_month:
        parts.append("in " + _list([MONTHS[month - 1] for month in rule.by_month], "or"))
    every = _every("month" if rule.freq == "MONTHLY" else "year", rule.interval)
    return f"{every} on each day that is {', and also '.join(parts)},"


def _names_positions(rule: Rule) -> bool:
    """Whether positions can be worded as "the last working day": of one month or year, and of days alone."""
    is_one_period = rule.freq == "MONTHLY" or (rule.freq == "YEARLY" and len(rule.by_month) <= 1)
    times = max(1, len(rule.by_hour)) * max(1, len(rule.by_minute)) * max(1, len(rule.by_second))
    return (
        bool(rule.by_position and rule.by_day)
        and is_one_period
        and times == 1
        and not any(day.nth for day in rule.by_day)
        and not (rule.by_month_day or rule.by_year_day or rule.by_week)
    )


def _chosen(rule: Rule) -> str:
    """The positions after the set that they choose from, where the wording of the days does not include them."""
    if not rule.by_position or _names_positions(rule):
        return ""
    named = _list([f"the {_ordinal(position)}" for position in _in_order(rule.by_position)], "and")
    weeks = _weeks_begin(rule) if rule.freq == "WEEKLY" and rule.interval == 1 else ""
    return f", but only {named} of these in each {_PERIODS[rule.freq]}{weeks}"


def _positions(rule: Rule) -> str:
    what = {_WORKING: "working day", _WEEKEND: "day of a weekend", _WHOLE_WEEK: "day"}.get(
        rule.by_day, _weekdays(rule, "or")
    )
    return _list([f"the {_ordinal(position)} {what}" for position in _in_order(rule.by_position)], "and")


def _weekday_in_month(day: Weekday) -> str:
    return f"the {_ordinal(day.nth)} {WEEKDAYS[day.day]}" if day.nth else f"every {WEEKDAYS[day.day]}"


def _ordinal(number: int) -> str:
    if number == -1:
        return "last"
    if number < 0:
        return f"{_ordinal(-number)} last"
    return _ORDINALS[number] if number < len(_ORDINALS) else _numbered(number)


def _numbered(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _month_days(days: Sequence[int], joined: str) -> str:
    named = [
        ("the last day" if d == -1 else f"the {_ordinal(d)} day") if d < 0 else f"the {_numbered(d)}" for d in days
    ]
    return _list(sorted(named, key=lambda name: name.startswith("the last")), joined)


def _yearly(rule: Rule, start: datetime) -> str:
    years = _every("year", rule.interval)
    if rule.by_week:
        # A week without a weekday means all of its days (``expand``).
        days = "every day" if rule.by_day in {(), _WHOLE_WEEK} else _weekday_list(rule.by_day)
        return f"on {days} of {_weeks(rule, 'and')} of {years}"
    if rule.by_year_day:
        return f"on {_list([_year_day(day) for day in rule.by_year_day], 'and')} of {years}"
    if rule.by_day and not rule.by_month and not rule.by_month_day:
        return f"on {_days_of_month(rule, start)} of {years}"
    if not rule.by_month and not rule.by_day and not rule.by_month_day:
        return f"{years} on {start.day} {MONTHS[start.month - 1]}"
    if rule.by_month and not rule.by_day:
        months = _list([MONTHS[m - 1] for m in rule.by_month], "and")
        if any(day < 0 for day in rule.by_month_day):
            return f"{years} on {_month_days(rule.by_month_day, 'and')} of {months}"
        return f"{years} on {_list([str(day) for day in rule.by_month_day or (start.day,)], 'and')} {months}"
    months = _list([MONTHS[m - 1] for m in rule.by_month], "and") if rule.by_month else "every month"
    return f"{years} on {_days_of_month(rule, start)} of {months}"


def _weeks(rule: Rule, joined: str) -> str:
    """``week 20 and the last week``."""
    named = [f"week {week}" if week > 0 else f"the {_ordinal(week)} week" for week in _in_order(rule.by_week)]
    return _list(named, joined) + _weeks_begin(rule)


def _weeks_begin(rule: Rule) -> str:
    """The first day of the week, where it differs from the default."""
    return f" (weeks begin on {WEEKDAYS[rule.week_start]})" if rule.week_start else ""


def _year_day(day: int) -> str:
    return "the last day" if day == -1 else f"the {_ordinal(day)} day"


def _in_months(rule: Rule) -> str:
    return f" in {_list([MONTHS[month - 1] for month in rule.by_month], 'and')}" if rule.by_month else ""


def _at_time(pattern: Pattern, rule: Rule | None) -> str:
    return "" if pattern.is_all_day else "at " + _list(_times(pattern, rule), "and")


def _times(pattern: Pattern, rule: Rule | None) -> list[str]:
    start = pattern.start
    hours = (rule.by_hour if rule else ()) or (start.hour,)
    minutes = (rule.by_minute if rule else ()) or (start.minute,)
    seconds = (rule.by_second if rule else ()) or (start.second,)
    return [_clock(time(hour, minute, second)) for hour in hours for minute in minutes for second in seconds]


def _clock(at: datetime | time) -> str:
    return f"{at.hour:02}:{at.minute:02}" + (f":{at.second:02}" if at.second else "")


def _last_day(until: Until, pattern: Pattern) -> date:
    if until.is_utc and not until.is_date:
        return local_of(instant_of(until.at, "UTC"), pattern.zone_name or "UTC").date()
    return until.at.date()


def _date(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _dates(dates: Sequence[datetime], pattern: Pattern) -> str:
    """The days; with times where these are not implied."""
    if len(dates) > _NAMED_DATES:
        return f"{len(dates):,} dates"
    usual = _times(pattern, pattern.rule)
    if pattern.is_all_day or (len(usual) == 1 and all(_clock(at) == usual[0] for at in dates)):
        return _list([_date(at.date()) for at in dates], "and")
    return _list([f"{_date(at.date())} at {_clock(at)}" for at in dates], "and")


def _in_order(positions: Sequence[int]) -> list[int]:
    return sorted(positions, key=lambda position: (position < 0, position))


def _list(words: Sequence[str], joined: str) -> str:
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joined} {words[-1]}"
