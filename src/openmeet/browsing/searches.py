"""What was typed into the search form or query string, as ``queries.Wanted``. Pure."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from groundwork.errors import InvalidForm
from openmeet.browsing.queries import MAX_WORDS, Wanted
from openmeet.events import wall_time

MAX_QUERY = 200


def wanted_of(typed: Mapping[str, str], zone: str) -> Wanted:
    """``q``, ``from`` and ``to``; days are whole days of ``zone``, ``to`` included. InvalidForm names the fields."""
    problems: dict[str, str] = {}
    query = typed.get("q", "").strip()
    if len(query) > MAX_QUERY:
        problems["q"] = f"At most {MAX_QUERY} characters."
    first = _day(typed, "from", problems)
    last = _day(typed, "to", problems)
    if first and last and last < first:
        problems["to"] = "This day is before the first one."
    if problems:
        raise InvalidForm(problems)
    return Wanted(
        tuple(query.split()[:MAX_WORDS]),
        wall_time.instant_of(datetime.combine(first, time()), zone) if first else None,
        wall_time.instant_of(datetime.combine(last + timedelta(days=1), time()), zone) if last else None,
    )


def _day(typed: Mapping[str, str], name: str, problems: dict[str, str]) -> date | None:
    text = typed.get(name, "").strip()
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        problems[name] = "Write the day like 2026-07-04."
        return None
    if not wall_time.FIRST_YEAR <= found.year <= wall_time.LAST_YEAR:
        problems[name] = f"The year must be between {wall_time.FIRST_YEAR} and {wall_time.LAST_YEAR}."
        return None
    return found
