"""Rules as JSON for programs that do not want to read RFC 5545 text. Computed and accepted, never stored: one vocabulary.

Names follow JSCalendar's RecurrenceRule (RFC 8984, section 4.3.3) where it has one.
"""

from collections.abc import Mapping
from typing import Any, Final

from openmeet.recurrence.refusal import Code, RuleRefused
from openmeet.recurrence.rule import DAYS, Rule, format_until, parse_rule

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
_NAMES: Final = frozenset({"frequency", "interval", "count", "until", "byDay", "firstDayOfWeek", *_NUMBERS})


def to_json(rule: Rule) -> dict[str, Any]:
    """``{"frequency": "weekly", "interval": 2, "byDay": [{"day": "tu"}], "count": 13}``; defaults are left out."""
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
    """The rule of such an object. Raises RuleRefused as ``parse_rule`` does, through which it goes."""
    unknown = sorted(value.keys() - _NAMES)
    if unknown:
        raise RuleRefused(Code.UNKNOWN_PART, unknown[0][:30], f"A rule has no member {unknown[0][:30]!r}.")
    parts = [f"FREQ={value['frequency']}"] if "frequency" in value else []
    parts += [f"{name.upper()}={value[name]}" for name in ("interval", "count", "until") if name in value]
    for name, part in _NUMBERS.items():
        if name in value:
            parts.append(f"{part}={','.join(map(str, _list(value, name)))}")
    if "byDay" in value:
        parts.append(f"BYDAY={','.join(_day(day) for day in _list(value, 'byDay'))}")
    if "firstDayOfWeek" in value:
        parts.append(f"WKST={value['firstDayOfWeek']}")
    return parse_rule(";".join(parts) or "COUNT=1")


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value[name]
    if not isinstance(found, list) or not found:
        raise RuleRefused(Code.UNKNOWN_PART, name, f"{name} must be a list with something in it.")
    return found


def _day(day: Any) -> str:
    if not isinstance(day, dict) or not isinstance(day.get("day"), str):
        raise RuleRefused(Code.BAD_BYDAY, "byDay", 'byDay holds objects such as {"day": "tu", "nthOfPeriod": 2}.')
    return f"{day.get('nthOfPeriod', '')}{day['day']}"
