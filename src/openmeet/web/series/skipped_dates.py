"""Dates that a new series leaves out: days in one field of the form, and the buttons that add and remove one. Pure.

Days and not times: they stay skipped when the start moves to another hour.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

# The field, and the names of the buttons beside a date.
FIELD: Final = "skipped"
SKIP: Final = "skip"
PUT_BACK: Final = "put_back"

# Two years of a weekly series. What is typed is read no further.
MOST_SKIPPED: Final = 100

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LENGTH: Final = len("2026-12-24,")


def days_in(typed: Mapping[str, str]) -> tuple[date, ...]:
    """The skipped days after the button that was pressed, in order; anything that is no day is left out."""
    days = {day for text in typed.get(FIELD, "")[: MOST_SKIPPED * _LENGTH].split(",") if (day := _day(text))}
    if (more := _day(typed.get(SKIP, ""))) and len(days) < MOST_SKIPPED:
        days.add(more)
    days.discard(_day(typed.get(PUT_BACK, "")) or date.min)
    return tuple(sorted(days))


def packed(days: tuple[date, ...]) -> str:
    """The field's value for these days."""
    return ",".join(day.isoformat() for day in days)


def is_pressed(typed: Mapping[str, str]) -> bool:
    """Whether a button was pressed that shows the form again with its dates: the preview, or one beside a date."""
    return any(typed.get(name) for name in ("preview", SKIP, PUT_BACK))


def left_out(typed: Mapping[str, str], start: datetime) -> list[datetime]:
    """The skipped dates of a series with this start. The start itself is not skipped: the host chooses another one."""
    days = (datetime.combine(day, start.time()) for day in days_in(typed))
    return [at for at in days if at > start]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
