"""Dates that a new series skips: days in one form field, and the buttons that add and remove a day. Pure functions.

They are days and not times. This keeps them skipped if the start moves to another hour.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

# Names of the field and of the buttons next to a date.
FIELD: Final = "skipped"
SKIP: Final = "skip"
PUT_BACK: Final = "put_back"

# Two years of a weekly series. Any further input is ignored.
MOST_SKIPPED: Final = 100

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LENGTH: Final = len("2026-12-24,")


def days_in(form: Mapping[str, str]) -> tuple[date, ...]:
    """The skipped days, in order, after the effect of the button that was pressed. Text that is not a day is ignored."""
    days = {day for text in form.get(FIELD, "")[: MOST_SKIPPED * _LENGTH].split(",") if (day := _parse_day(text))}
    if (more := _parse_day(form.get(SKIP, ""))) and len(days) < MOST_SKIPPED:
        days.add(more)
    days.discard(_parse_day(form.get(PUT_BACK, "")) or date.min)
    return tuple(sorted(days))


def format_days(days: tuple[date, ...]) -> str:
    """The field's value for these days."""
    return ",".join(day.isoformat() for day in days)


def is_pressed(form: Mapping[str, str]) -> bool:
    """Whether a button was pressed that only shows the form again with its dates: the preview button, or one next to a
    date.
    """
    return any(form.get(name) for name in ("preview", SKIP, PUT_BACK))


def skipped_starts(form: Mapping[str, str], start: datetime) -> list[datetime]:
    """The skipped dates of a series with this start. The start itself cannot be skipped. The host has to choose another
    start instead.
    """
    days = (datetime.combine(day, start.time()) for day in days_in(form))
    return [at for at in days if at > start]


def _parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
