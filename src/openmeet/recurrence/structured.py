"""Rules as JSON for programs that do not want to parse RFC 5545 text. Computed and accepted, never stored.

Names follow JSCalendar's RecurrenceRule (RFC 8984, section 4.3.3) where it has one.
"""

import calendar
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from openmeet.recurrence.errors import RuleErrorCode, RuleRefused
from openmeet.recurrence.rule import DAYS, Rule, Weekday, format_until, parse_rule

_NUMBERS: Final = {
    "byMonth": "BYMONTH",
    "byWeekNo": "BYWEEKNO",
    "byYearDay": "BYYEARDAY",
    "byMonthDay": "BYMONTHDAY",
    "byHour": "BYHOUR",
    "byMinute": "BYMINUTE",
    "bySecond": "BYSECOND",
    "bySetPosition": "BYSETPOS",
}
_COUNTED: Final = (("interval", RuleErrorCode.BAD_INTERVAL), ("count", RuleErrorCode.BAD_COUNT))
_NAMES_OF_DAY: Final = frozenset({"day", "nthOfPeriod"})
_EXAMPLES: Final = {
    "frequency": "one of daily, weekly, monthly, yearly",
    "until": "a date such as 20261224, 20261224T180000 or 20261224T170000Z",
    "firstDayOfWeek": "one of mo, tu, we, th, fr, sa, su",
}
_NAMES: Final = frozenset({"frequency", "interval", "count", "until", "byDay", "firstDayOfWeek", *_NUMBERS})


def to_json(rule: Rule) -> dict[str, Any]:
    """``{"frequency": "weekly", "interval": 2, "byDay": [{"day": "tu"}], "count": 13}``; defaults are omitted."""
    made: dict[str, Any] = {"frequency": rule.freq.lower()}
    if rule.interval != 1:
        made["interval"] = rule.interval
    numbers = (
        rule.by_month,
        rule.by_week,
        rule.by_year_day,
        rule.by_month_day,
        rule.by_hour,
        rule.by_minute,
        rule.by_second,
        rule.by_position,
    )
    made |= {name: list(some) for name, some in zip(_NUMBERS, numbers, strict=True) if some}
    if rule.by_day:
        made["byDay"] = [
            {"day": DAYS[day.day].lower(), **({"nthOfPeriod": day.nth} if day.nth else {})} for day in rule.by_day
        ]
    if rule.count is not None:
        made["count"] = rule.count
    if rule.until is not None:
        made["until"] = format_until(rule.until)
    if rule.week_start:
        made["firstDayOfWeek"] = DAYS[rule.week_start].lower()
    return made


def from_json(value: Mapping[str, Any]) -> Rule:
    """The rule of such an object. Raises RuleRefused as ``parse_rule`` does, which it uses.

    An unknown member, or one of another type, is refused: ignored or read as text, it would make another rule.
    """
    _known_only(value, _NAMES, "A rule")
    parts = [f"FREQ={_word(value, 'frequency', RuleErrorCode.UNSUPPORTED_FREQ)}"] if "frequency" in value else []
    parts += [f"{name.upper()}={_number(value[name], code, name)}" for name, code in _COUNTED if name in value]
    if "until" in value:
        parts.append(f"UNTIL={_word(value, 'until', RuleErrorCode.BAD_UNTIL)}")
    for name, part in _NUMBERS.items():
        if name in value:
            numbers = (_number(one, RuleErrorCode(f"BAD_{part}"), name) for one in _list(value, name))
            parts.append(f"{part}={','.join(map(str, numbers))}")
    if "byDay" in value:
        parts.append(f"BYDAY={','.join(_day(day) for day in _list(value, 'byDay'))}")
    if "firstDayOfWeek" in value:
        parts.append(f"WKST={_word(value, 'firstDayOfWeek', RuleErrorCode.BAD_WKST)}")
    return parse_rule(";".join(parts) or "COUNT=1")


def _known_only(value: Mapping[str, Any], known: frozenset[str], whole: str) -> None:
    unknown = sorted(value.keys() - known)
    if unknown:
        raise RuleRefused(RuleErrorCode.UNKNOWN_PART, unknown[0][:30], f"{whole} has no member {unknown[0][:30]!r}.")


def _word(value: Mapping[str, Any], name: str, code: RuleErrorCode) -> str:
    """A text that cannot end the part of the rule in which it stands."""
    word = value[name]
    if not isinstance(word, str) or not word.isascii() or not word.isalnum():
        raise RuleRefused(code, name, f"{name} must be {_EXAMPLES[name]}.")
    return word


def _number(number: Any, code: RuleErrorCode, name: str) -> int:
    # JSON's true is an int to Python.
    if not isinstance(number, int) or isinstance(number, bool):
        raise RuleRefused(code, name, f"{name} takes whole numbers only.")
    return number


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value[name]
    if not isinstance(found, list) or not found:
        raise RuleRefused(RuleErrorCode.UNKNOWN_PART, name, f"{name} must be a list with something in it.")
    return found


def _day(day: Any) -> str:
    if not isinstance(day, dict) or not isinstance(day.get("day"), str) or day["day"].upper() not in DAYS:
        raise RuleRefused(
            RuleErrorCode.BAD_BYDAY,
            "byDay",
            'byDay holds objects such as {"day": "tu", "nthOfPeriod": 2}; day is one of mo, tu, we, th, fr, sa, su.',
        )
    _known_only(day, _NAMES_OF_DAY, "A day of byDay")
    nth = _number(day["nthOfPeriod"], RuleErrorCode.BAD_BYDAY, "nthOfPeriod") if "nthOfPeriod" in day else ""
    return f"{nth}{day['day']}"


def plain_choices(start: datetime) -> list[Rule]:
    """Rules that fit the start, the likeliest first; ``describe`` words them."""
    weekday = start.weekday()
    nth = (start.day - 1) // 7 + 1
    days_in_month = calendar.monthrange(start.year, start.month)[1]
    choices = [
        Rule("WEEKLY", by_day=(Weekday(weekday),)),
        Rule("WEEKLY", interval=2, by_day=(Weekday(weekday),)),
    ]
    if nth <= 4:
        choices.append(Rule("MONTHLY", by_day=(Weekday(weekday, nth),)))
    if start.day > days_in_month - 7:
        choices.append(Rule("MONTHLY", by_day=(Weekday(weekday, -1),)))
    choices.append(Rule("MONTHLY", by_month_day=(start.day,)))
    if start.day == days_in_month:
        choices.append(Rule("MONTHLY", by_month_day=(-1,)))
    choices.append(Rule("DAILY"))
    if weekday < 5:
        choices.append(Rule("WEEKLY", by_day=tuple(Weekday(day) for day in range(5))))
    choices.append(Rule("YEARLY"))
    return choices
