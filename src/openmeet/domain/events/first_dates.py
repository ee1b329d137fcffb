"""Lists for finding something show a series once: by its next date that fits. Conditions for statements, and how many more there are.

Which date that is depends on nothing but the dates of the same series, so a keyset cursor holds its place. A date that takes place
goes before one that is cancelled. Each date is asked for by an index of its series, never sorted with others.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.visibility import is_hidden, is_listed

# Under this name the other dates of the series stand in the statement.
_DATE = "sd"


def is_first_of_series(table: str, fits: Callable[[str], str], *, by: Literal["over_at", "starts_at"]) -> str:
    """The condition under which an event is no date of a series, or the first of those that fit.

    ``fits``: what the list asks of an event, of the table of this name, with a lower bound of ``by``: that is what dates are ordered by.
    """
    first = f"select {_DATE}.id from events {_DATE} where {_DATE}.series_id = {table}.series_id and {fits(_DATE)}"
    order = f"order by {_DATE}.{by}, {_DATE}.id limit 1"
    takes_place = f"{_DATE}.status <> 'cancelled'"
    return (
        f"({table}.series_id is null or {table}.id = coalesce(({first} and {takes_place} {order}), ({first} {order})))"
    )


def has_date(table: str, fits: Callable[[str], str]) -> str:
    """The condition under which an event is a date of a series of which some date fits."""
    return f"exists (select 1 from events {_DATE} where {_DATE}.series_id = {table}.series_id and {fits(_DATE)})"


# Of the same group, and no less open than the one that is shown: who sees that one may know of these.
_MORE = f"""
    select e.id, count(*) as number
      from events e join events {_DATE} on {_DATE}.series_id = e.series_id
     where e.id in :event_ids and {_DATE}.id <> e.id and {_DATE}.over_at > :now and {_DATE}.status <> 'cancelled'
       and {is_listed(_DATE)}
       and ({_DATE}.visibility = 'public' or {_DATE}.visibility = e.visibility)
       and coalesce({_DATE}.group_id, '') = coalesce(e.group_id, '') and not {is_hidden(_DATE)}
     group by e.id order by e.id
"""


async def more_dates(reader: Reader, events: Sequence[Event]) -> Mapping[EventId, int]:
    """How many other dates of their series are stored, take place and are not over, as far as whoever sees these may know."""
    dates = [event.id for event in events if event.place_in_series is not None]
    if not dates:
        return {}
    rows = await reader.fetch(_MORE, event_ids=dates, now=reader.now)
    return {EventId(row["id"]): row["number"] for row in rows}
