"""Rules as JSON, for programs that do not want to parse RFC 5545 text. This form is computed and accepted, but never
stored.

Names follow JSCalendar's RecurrenceRule (RFC 8984, section 4.3.3) where it defines one.
"""

import calendar
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from openmeet.recurrence.errors import RecurrenceReason, RuleErrorCode, RuleRefused
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
_EXPECTED: Final = {
    "frequency": RecurrenceReason.FREQUENCY_EXPECTED,
    "until": RecurrenceReason.UNTIL_EXPECTED,
    "firstDayOfWeek": RecurrenceReason.WEEKDAY_EXPECTED,
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
    """The rule that a JSON object describes. Raises RuleRefused like ``parse_rule``, which it uses.

    Unknown members and members of the wrong type are refused. Ignoring them or reading them as text would make a
    different rule.
    """
    _known_only(value, _NAMES, RecurrenceReason.MEMBER_UNKNOWN)
    parts = [f"FREQ={_rule_text(value, 'frequency', RuleErrorCode.UNSUPPORTED_FREQ)}"] if "frequency" in value else []
    parts += [f"{name.upper()}={_number(value[name], code, name)}" for name, code in _COUNTED if name in value]
    if "until" in value:
        parts.append(f"UNTIL={_rule_text(value, 'until', RuleErrorCode.BAD_UNTIL)}")
    for name, part in _NUMBERS.items():
        if name in value:
            numbers = (_number(one, RuleErrorCode(f"BAD_{part}"), name) for one in _list(value, name))
            parts.append(f"{part}={','.join(map(str, numbers))}")
    if "byDay" in value:
        parts.append(f"BYDAY={','.join(_day(day) for day in _list(value, 'byDay'))}")
    if "firstDayOfWeek" in value:
        parts.append(f"WKST={_rule_text(value, 'firstDayOfWeek', RuleErrorCode.BAD_WKST)}")
    return parse_rule(";".join(parts) or "COUNT=1")


def _known_only(value: Mapping[str, Any], known: frozenset[str], reason: RecurrenceReason) -> None:
    unknown = sorted(value.keys() - known)
    if unknown:
        raise RuleRefused(RuleErrorCode.UNKNOWN_PART, unknown[0][:30], reason, text=unknown[0][:30])


def _rule_text(value: Mapping[str, Any], name: str, code: RuleErrorCode) -> str:
    """Return the text if it cannot break out of the part of the rule in which it is inserted."""
    text = value[name]
    if not isinstance(text, str) or not text.isascii() or not text.isalnum():
        raise RuleRefused(code, name, _EXPECTED[name])
    return text


def _number(number: Any, code: RuleErrorCode, name: str) -> int:
    # In Python, JSON's true is an int.
    if not isinstance(number, int) or isinstance(number, bool):
        raise RuleRefused(code, name, RecurrenceReason.NOT_A_NUMBER, member=name)
    return number


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    items = value[name]
    if not isinstance(items, list) or not items:
        raise RuleRefused(RuleErrorCode.UNKNOWN_PART, name, RecurrenceReason.LIST_NEEDED, member=name)
    return items


def _day(day: Any) -> str:
    if not isinstance(day, dict) or not isinstance(day.get("day"), str) or day["day"].upper() not in DAYS:
        raise RuleRefused(
            RuleErrorCode.BAD_BYDAY,
            "byDay",
            RecurrenceReason.MALFORMED_DAY,
        )
    _known_only(day, _NAMES_OF_DAY, RecurrenceReason.MEMBER_OF_DAY_UNKNOWN)
    nth = _number(day["nthOfPeriod"], RuleErrorCode.BAD_BYDAY, "nthOfPeriod") if "nthOfPeriod" in day else ""
    return f"{nth}{day['day']}"


def plain_choices(start: datetime) -> list[Rule]:
    """Rules that fit the start, the most likely first. ``describe`` puts them into words."""
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
