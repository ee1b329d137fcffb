"""What was typed into the search form or query string, as ``queries.Wanted``. Pure."""

from collections.abc import Mapping
from datetime import date

from groundwork.errors import InvalidForm
from openmeet.browsing.queries import MAX_WORDS, Wanted
from openmeet.recurrence import wall_time

MAX_QUERY = 200


def wanted_of(typed: Mapping[str, str]) -> Wanted:
    """``q``, ``from`` and ``to``; days are those of each event's own zone, ``to`` included. InvalidForm names the fields."""
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
    return Wanted(tuple(query.split()[:MAX_WORDS]), first, last)


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
