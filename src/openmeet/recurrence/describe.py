"""A recurrence pattern in words: "Every second week on Tuesday at 18:00, until 24 December 2026, except 8 December".

Sentences are never assembled by joining strings. Each addition is a message of its own that takes the sentence as its
parameter ``repeats``, so that a translation can put it anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Final

from openmeet.i18n.catalogue import LazyText, Plural, gettext, lazy, ngettext, pgettext, plural
from openmeet.i18n.formatting import clock, month_of, number, weekday
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import Rule, Until, Weekday
from openmeet.recurrence.wall_time import instant_of, local_of

_ORDINALS: Final = ("", lazy("first"), lazy("second"), lazy("third"), lazy("fourth"), lazy("fifth"))
_FROM_THE_END: Final = (
    "",
    lazy("last"),
    lazy("second-to-last"),
    lazy("third-to-last"),
    lazy("fourth-to-last"),
    lazy("fifth-to-last"),
)


@dataclass(frozen=True, slots=True)
class _ByInterval:
    """Messages for every period, for every n-th period, and for every second one, which many languages have a word for."""

    forms: Plural
    second: LazyText

    def filled(self, interval: int, **params: object) -> str:
        if interval == 2:
            return self.second.filled(**params)
        return ngettext(self.forms.one, self.forms.many, interval, **{"number": number(interval), **params})


_EVERY_DAY: Final = _ByInterval(
    plural("every day", "every %(number)s days"),
    lazy("every other day"),
)
_EVERY_DAY_WHERE: Final = _ByInterval(
    plural("every day, if that’s %(limits)s", "every %(number)s days, if that’s %(limits)s"),
    lazy("every other day, if that’s %(limits)s"),
)
_EVERY_WEEK: Final = _ByInterval(
    plural("every week %(on_days)s", "every %(number)s weeks %(on_days)s"),
    lazy("every other week %(on_days)s"),
)
_MONTHS_SPELT_OUT: Final = _ByInterval(
    plural("every month on each day that is %(days)s", "every %(number)s months on each day that is %(days)s"),
    lazy("every other month on each day that is %(days)s"),
)
_YEARS_SPELT_OUT: Final = _ByInterval(
    plural("every year on each day that is %(days)s", "every %(number)s years on each day that is %(days)s"),
    lazy("every other year on each day that is %(days)s"),
)
_DAYS_OF_MONTHS: Final = _ByInterval(
    plural("on %(days)s of every month", "on %(days)s of every %(number)s months"),
    lazy("on %(days)s of every other month"),
)
_DAYS_OF_YEARS: Final = _ByInterval(
    plural("on %(days)s of every year", "on %(days)s of every %(number)s years"),
    lazy("on %(days)s of every other year"),
)
_DAYS_OF_WEEKS: Final = _ByInterval(
    plural("%(on_days)s of %(weeks)s of every year", "%(on_days)s of %(weeks)s of every %(number)s years"),
    lazy("%(on_days)s of %(weeks)s of every other year"),
)
_YEARS_ON_DATE: Final = _ByInterval(
    plural("every year on %(day)s %(month)s", "every %(number)s years on %(day)s %(month)s"),
    lazy("every other year on %(day)s %(month)s"),
)
_YEARS_ON_DAYS: Final = _ByInterval(
    plural("every year on %(days)s of %(months)s", "every %(number)s years on %(days)s of %(months)s"),
    lazy("every other year on %(days)s of %(months)s"),
)
_YEARS_ON_DAYS_OF_EACH_MONTH: Final = _ByInterval(
    plural("every year on %(days)s of every month", "every %(number)s years on %(days)s of every month"),
    lazy("every other year on %(days)s of every month"),
)
_ONLY_SOME: Final = {
    "DAILY": lazy("%(repeats)s, but only %(dates)s of these in each day"),
    "WEEKLY": lazy("%(repeats)s, but only %(dates)s of these in each week"),
    "MONTHLY": lazy("%(repeats)s, but only %(dates)s of these in each month"),
    "YEARLY": lazy("%(repeats)s, but only %(dates)s of these in each year"),
}
_WORKING = tuple(Weekday(day) for day in range(5))
_WEEKEND = (Weekday(5), Weekday(6))
_WHOLE_WEEK = tuple(Weekday(day) for day in range(7))
# If there are more dates than this, they are counted instead of listed.
_NAMED_DATES = 6


def describe(pattern: Pattern) -> str:
    """One sentence without a full stop. Times are in the series' time zone, which the sentence does not name.

    Exceptions that remove no date are left out.
    """
    return _capitalised(describe_inside(pattern))


def describe_rhythm(pattern: Pattern) -> str:
    """Only how often the rule repeats, such as ``Every Tuesday``: without times, end and exceptions. Empty without a
    rule.
    """
    rule = pattern.rule
    return "" if rule is None else _capitalised(_only_some(rule, _how_often(rule, pattern.start).text))


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def describe_inside(pattern: Pattern) -> str:
    """Like ``describe``, for use within a sentence: it begins with a small letter in languages that require one."""
    rule = pattern.rule
    if rule is None:
        return _single_dates(pattern)
    repeats = _only_some(rule, _at_times(pattern, rule, _how_often(rule, pattern.start)))
    if rule.count is not None:
        times = number(rule.count)
        repeats = ngettext(
            "%(repeats)s, once", "%(repeats)s, %(times)s times", rule.count, repeats=repeats, times=times
        )
    if rule.until is not None:
        repeats = gettext(
            "%(repeats)s, until %(day)s", repeats=repeats, day=date_in_words(last_day(rule.until, pattern))
        )
    idle = set(expansion.unused_exclusions(pattern))
    if missing := [at for at in pattern.left_out if at not in idle]:
        repeats = gettext("%(repeats)s, except %(dates)s", repeats=repeats, dates=_dates(missing, pattern))
    if pattern.added:
        added = _dates(pattern.added, pattern)
        repeats = gettext("%(repeats)s, and also on %(dates)s", repeats=repeats, dates=added)
    return repeats


def _single_dates(pattern: Pattern) -> str:
    """Single dates, in order. If all are excluded, only the start."""
    dates = sorted({pattern.start, *pattern.added} - set(pattern.left_out)) or [pattern.start]
    first = date_in_words(dates[0].date())
    if not pattern.is_all_day:
        first = gettext("%(day)s at %(time)s", day=first, time=clock(dates[0]))
    if len(dates) == 1:
        return first
    return gettext("%(first)s and on %(dates)s", first=first, dates=_dates(dates[1:], replace(pattern, start=dates[0])))


@dataclass(frozen=True, slots=True)
class _Repeats:
    """How often the rule repeats, in words. ``is_clause``: the words end with a clause that has to be closed by a
    comma.
    """

    text: str
    is_clause: bool = False


def _how_often(rule: Rule, start: datetime) -> _Repeats:
    match rule.freq:
        case "DAILY":
            return _in_months(rule, _daily(rule))
        case "WEEKLY":
            return _in_months(rule, _Repeats(_weekly(rule, start)))
        case "MONTHLY" if _is_plain_monthly(rule):
            return _in_months(rule, _Repeats(_DAYS_OF_MONTHS.filled(rule.interval, days=_days_of_month(rule, start))))
        case "YEARLY" if _is_plain_yearly(rule):
            return _Repeats(_yearly(rule, start))
        case _:
            return _Repeats(_spelt_out(rule), is_clause=True)


def _daily(rule: Rule) -> _Repeats:
    # Seven weekdays mean every day.
    limits = [gettext("a %(weekday)s", weekday=_weekdays(rule, "or"))] if rule.by_day not in {(), _WHOLE_WEEK} else []
    if rule.by_month_day:
        limits.append(gettext("%(days)s of the month", days=_month_days(rule.by_month_day, "or")))
    if not limits:
        return _Repeats(_EVERY_DAY.filled(rule.interval))
    if rule.interval == 1 and not rule.by_month_day:
        return _Repeats(_each_weekday(rule.by_day))
    return _Repeats(_EVERY_DAY_WHERE.filled(rule.interval, limits=_list(limits, "and")), is_clause=True)


def _weekly(rule: Rule, start: datetime) -> str:
    days = rule.by_day or (Weekday(start.weekday()),)
    if rule.interval == 1:
        return _EVERY_DAY.filled(1) if len(days) == 7 else _each_weekday(days)
    if len(days) == 1:
        return gettext("every %(nth)s %(weekday)s", nth=_ordinal(rule.interval), weekday=weekday(days[0].day))
    return _weeks_begin(rule, _EVERY_WEEK.filled(rule.interval, on_days=_on_weekdays(days)))


def _on_weekdays(days: Sequence[Weekday]) -> str:
    """With the preposition, which in other languages depends on the days."""
    if len(days) == 7:
        return gettext("on every day")
    if tuple(days) == _WORKING:
        return gettext("from Monday to Friday")
    return gettext("on %(days)s", days=_list([weekday(day.day) for day in days], "and"))


def _any_day() -> str:
    return pgettext("days of a week or month", "every day")


def _each_weekday(days: Sequence[Weekday]) -> str:
    if tuple(days) == _WORKING:
        return gettext("every weekday (Monday to Friday)")
    return gettext("every %(days)s", days=_list([weekday(day.day) for day in days], "and"))


def _weekdays(rule: Rule, joined: str) -> str:
    return _list([weekday(day.day) for day in rule.by_day], joined)


def _is_plain_monthly(rule: Rule) -> bool:
    """Whether there is a short wording for the days of a month. There is for "Friday the 13th", but not for "the second
    Friday, if it is the 13th".
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
        return _month_days(rule.by_month_day, "and") if rule.by_month_day else _any_day()
    if rule.by_day and rule.by_month_day:
        return gettext(
            "%(weekdays)s %(days)s", weekdays=_weekdays(rule, "or"), days=_month_days(rule.by_month_day, "or")
        )
    if rule.by_day:
        return _list([_weekday_in_month(day) for day in rule.by_day], "and")
    return _month_days(rule.by_month_day or (start.day,), "and")


def _spelt_out(rule: Rule) -> str:
    """The generic wording: every part of the rule in turn. A date must match all of them."""
    is_of_year = rule.freq == "YEARLY" and not rule.by_month
    parts = []
    if rule.by_day not in {(), _WHOLE_WEEK}:
        parts.append(_list([_weekday_of_period(day, is_of_year=is_of_year) for day in rule.by_day], "or"))
    if rule.by_month_day:
        parts.append(gettext("%(days)s of the month", days=_month_days(rule.by_month_day, "or")))
    if rule.by_year_day:
        days = _list([_year_day(day) for day in _in_order(rule.by_year_day)], "or")
        parts.append(gettext("%(days)s of the year", days=days))
    if rule.by_week:
        parts.append(gettext("in %(weeks)s", weeks=_weeks(rule, "or")))
    if rule.by_month:
        parts.append(gettext("in %(months)s", months=_list([month_of(month) for month in rule.by_month], "or")))
    days = parts[0]
    for part in parts[1:]:
        days = gettext("%(days)s, and also %(limit)s", days=days, limit=part)
    spelt_out = _MONTHS_SPELT_OUT if rule.freq == "MONTHLY" else _YEARS_SPELT_OUT
    return spelt_out.filled(rule.interval, days=days)


def _weekday_of_period(day: Weekday, *, is_of_year: bool) -> str:
    if not day.nth:
        return gettext("a %(weekday)s", weekday=weekday(day.day))
    params = {"nth": _ordinal(day.nth), "weekday": weekday(day.day)}
    if is_of_year:
        return gettext("the %(nth)s %(weekday)s of the year", **params)
    return gettext("the %(nth)s %(weekday)s of the month", **params)


def _names_positions(rule: Rule) -> bool:
    """Whether positions can be worded like "the last working day". They can if they count days, not times, within one
    month or year.
    """
    is_one_period = rule.freq == "MONTHLY" or (rule.freq == "YEARLY" and len(rule.by_month) <= 1)
    times = max(1, len(rule.by_hour)) * max(1, len(rule.by_minute)) * max(1, len(rule.by_second))
    return (
        bool(rule.by_position and rule.by_day)
        and is_one_period
        and times == 1
        and not any(day.nth for day in rule.by_day)
        and not (rule.by_month_day or rule.by_year_day or rule.by_week)
    )


def _only_some(rule: Rule, repeats: str) -> str:
    """Append the positions to the set that they select from, unless the wording of the days already includes them."""
    if not rule.by_position or _names_positions(rule):
        return repeats
    named = _list([gettext("the %(nth)s", nth=_ordinal(position)) for position in _in_order(rule.by_position)], "and")
    some = _ONLY_SOME[rule.freq].filled(repeats=repeats, dates=named)
    return _weeks_begin(rule, some) if rule.freq == "WEEKLY" and rule.interval == 1 else some


def _positions(rule: Rule) -> str:
    kinds = {
        _WORKING: lazy("the %(nth)s working day"),
        _WEEKEND: lazy("the %(nth)s day of a weekend"),
        _WHOLE_WEEK: lazy("the %(nth)s day"),
    }
    kind = kinds.get(rule.by_day, _NTH_WEEKDAY)
    weekdays = _weekdays(rule, "or")
    named = [kind.filled(nth=_ordinal(position), weekday=weekdays) for position in _in_order(rule.by_position)]
    return _list(named, "and")


_NTH_WEEKDAY: Final = lazy("the %(nth)s %(weekday)s")


def _weekday_in_month(day: Weekday) -> str:
    if day.nth:
        return _NTH_WEEKDAY.filled(nth=_ordinal(day.nth), weekday=weekday(day.day))
    return gettext("every %(weekday)s", weekday=weekday(day.day))


def _ordinal(nth: int) -> str:
    if nth < 0:
        return str(_FROM_THE_END[-nth]) if -nth < len(_FROM_THE_END) else gettext("%(nth)s last", nth=_numbered(-nth))
    return str(_ORDINALS[nth]) if nth < len(_ORDINALS) else _numbered(nth)


def _numbered(nth: int) -> str:
    # English has four ordinal endings. Other languages translate all of them the same way.
    if 10 <= nth % 100 <= 20 or nth % 10 not in {1, 2, 3}:
        return gettext("%(number)sth", number=nth)
    return {1: lazy("%(number)sst"), 2: lazy("%(number)snd"), 3: lazy("%(number)srd")}[nth % 10].filled(number=nth)


def _month_days(days: Sequence[int], joined: str) -> str:
    """The days of the month, with the last day at the end."""
    return _list([_month_day(day) for day in sorted(days, key=lambda day: day == -1)], joined)


def _month_day(day: int) -> str:
    return gettext("the %(nth)s", nth=_numbered(day)) if day > 0 else _year_day(day)


def _yearly(rule: Rule, start: datetime) -> str:
    interval = rule.interval
    if rule.by_week:
        # A week without a weekday means all days of that week (``rule_dates``).
        on_days = _on_weekdays(rule.by_day or _WHOLE_WEEK)
        return _DAYS_OF_WEEKS.filled(interval, on_days=on_days, weeks=_weeks(rule, "and"))
    if rule.by_year_day:
        return _DAYS_OF_YEARS.filled(
            interval, days=_list([_year_day(day) for day in _in_order(rule.by_year_day)], "and")
        )
    if rule.by_day and not rule.by_month and not rule.by_month_day:
        return _DAYS_OF_YEARS.filled(interval, days=_days_of_month(rule, start))
    if not rule.by_month and not rule.by_day and not rule.by_month_day:
        return _YEARS_ON_DATE.filled(interval, day=start.day, month=month_of(start.month))
    if rule.by_month and not rule.by_day:
        months = _list([month_of(month) for month in rule.by_month], "and")
        if any(day < 0 for day in rule.by_month_day):
            return _YEARS_ON_DAYS.filled(interval, days=_month_days(rule.by_month_day, "and"), months=months)
        days = _list([str(day) for day in rule.by_month_day or (start.day,)], "and")
        return _YEARS_ON_DATE.filled(interval, day=days, month=months)
    days = _days_of_month(rule, start)
    if not rule.by_month:
        return _YEARS_ON_DAYS_OF_EACH_MONTH.filled(interval, days=days)
    months = _list([month_of(month) for month in rule.by_month], "and")
    return _YEARS_ON_DAYS.filled(interval, days=days, months=months)


def _weeks(rule: Rule, joined: str) -> str:
    """``week 20 and the last week``."""
    named = [
        gettext("week %(number)s", number=week) if week > 0 else gettext("the %(nth)s week", nth=_ordinal(week))
        for week in _in_order(rule.by_week)
    ]
    return _weeks_begin(rule, _list(named, joined))


def _weeks_begin(rule: Rule, weeks: str) -> str:
    """Append the first day of the week if it differs from the default."""
    if not rule.week_start:
        return weeks
    return gettext("%(weeks)s (weeks begin on %(weekday)s)", weeks=weeks, weekday=weekday(rule.week_start))


def _year_day(day: int) -> str:
    return gettext("the last day") if day == -1 else gettext("the %(nth)s day", nth=_ordinal(day))


def _in_months(rule: Rule, repeats: _Repeats) -> _Repeats:
    if not rule.by_month:
        return repeats
    months = _list([month_of(month) for month in rule.by_month], "and")
    if repeats.is_clause:
        return _Repeats(gettext("%(repeats)s, in %(months)s", repeats=repeats.text, months=months))
    return _Repeats(gettext("%(repeats)s in %(months)s", repeats=repeats.text, months=months))


def _at_times(pattern: Pattern, rule: Rule, repeats: _Repeats) -> str:
    if pattern.is_all_day:
        return repeats.text
    times = _list(_times(pattern, rule), "and")
    if repeats.is_clause:
        return gettext("%(repeats)s, at %(times)s", repeats=repeats.text, times=times)
    return gettext("%(repeats)s at %(times)s", repeats=repeats.text, times=times)


def _times(pattern: Pattern, rule: Rule | None) -> list[str]:
    start = pattern.start
    hours = (rule.by_hour if rule else ()) or (start.hour,)
    minutes = (rule.by_minute if rule else ()) or (start.minute,)
    return [clock(time(hour, minute)) for hour in hours for minute in minutes]


def last_day(until: Until, pattern: Pattern) -> date:
    """The day on which the rule ends, in the time zone of the pattern."""
    if until.is_utc and not until.is_date:
        return local_of(instant_of(until.at, "UTC"), pattern.zone_or_utc).date()
    return until.at.date()


def date_in_words(day: date) -> str:
    """``4 March 2027``."""
    return gettext("%(day)s %(month)s %(year)s", day=day.day, month=month_of(day.month), year=str(day.year))


def _dates(dates: Sequence[datetime], pattern: Pattern) -> str:
    """The days, with times unless they are implied."""
    if len(dates) > _NAMED_DATES:
        return gettext("%(number)s dates", number=number(len(dates)))
    usual = _times(pattern, pattern.rule)
    if pattern.is_all_day or (len(usual) == 1 and all(clock(at) == usual[0] for at in dates)):
        return _list([date_in_words(at.date()) for at in dates], "and")
    return _list([gettext("%(day)s at %(time)s", day=date_in_words(at.date()), time=clock(at)) for at in dates], "and")


def _in_order(positions: Sequence[int]) -> list[int]:
    return sorted(positions, key=lambda position: (position < 0, position))


def _list(words: Sequence[str], joined: str) -> str:
    if len(words) <= 1:
        return "".join(words)
    first, last = ", ".join(words[:-1]), words[-1]
    if joined == "or":
        return gettext("%(words)s or %(last)s", words=first, last=last)
    return gettext("%(words)s and %(last)s", words=first, last=last)
