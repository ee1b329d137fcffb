"""What a list that shows a series once says of its other dates: ``and 11 more dates``, with the way to them."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.series_dates import more_dates
from openmeet.domain.series import queries
from openmeet.domain.series.model import Series, SeriesId, SeriesStatus
from openmeet.recurrence import expansion
from openmeet.web.events.listing import Further


async def further_dates(reader: Reader, events: Sequence[Event]) -> Mapping[EventId, Further]:
    """Of dates whose series has others that are coming."""
    place = {event.id: SeriesId(event.place_in_series.series_id) for event in events if event.place_in_series}
    series = await queries.by_ids(reader, list(dict.fromkeys(place.values())))
    numbers = await more_dates(reader, events)
    found = {}
    for event_id, series_id in place.items():
        one = series.get(series_id)
        if one is None or one.deleted_at is not None or one.is_hidden:
            continue
        words = _words(numbers.get(event_id, 0), goes_on=_goes_on(one))
        if words:
            found[event_id] = Further(f"/series/{quote(one.slug)}", words)
    return found


def _goes_on(series: Series) -> bool:
    """Whether it has dates behind those that are stored. One that is only read, or was found, makes none here: what there is, is stored."""
    return (
        series.status is SeriesStatus.ACTIVE
        and not series.is_read_only
        and bool(expansion.following(series.timing.pattern, series.stored_until, 1))
    )


# Fewer that are stored say nothing of a series that goes on.
_FEW = 3


def _words(number: int, *, goes_on: bool) -> str:
    if goes_on and number < _FEW:
        return "and more dates"
    if number == 0:
        return ""
    dates = "1 more date" if number == 1 else f"{number} more dates"
    return f"and at least {dates}" if goes_on else f"and {dates}"
