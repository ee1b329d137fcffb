"""Events that are not here any more: pages, the API and calendar files say the same of them, in the same words."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from groundwork.database.transaction import Reader
from groundwork.errors import Gone, NotFound
from openmeet.domain.events.model import Event, EventId, Visibility
from openmeet.domain.events.series_dates import more_dates
from openmeet.domain.series import queries
from openmeet.domain.series.model import Series, SeriesId, SeriesStatus
from openmeet.domain.users.model import UserId, UserKind
from openmeet.domain.users.queries import kinds
from openmeet.recurrence import expansion
from openmeet.web.events.listing import FurtherDates


def must_be_here(event: Event, *, concerns: bool = False) -> None:
    """Raises Gone (410) for what was public; NotFound for anything else, which is as absent as what never was.

    ``concerns``: they answered or hosted it, and read which one it was, also where it was not for everybody.
    """
    if not event.is_gone:
        return
    if event.is_hidden or event.is_held or (event.visibility is not Visibility.PUBLIC and not concerns):
        raise NotFound("There is no such event.")
    name = f"“{event.title}”" if concerns and event.title else "This event"
    raise Gone(f"{name} was removed. {why_gone(event)}")


def why_gone(event: Event) -> str:
    """Who took it away, as far as that is known: what vanished from its repository may have been deleted there by anybody."""
    return (
        "Its host deleted it." if event.deleted_at is not None else "It was removed from the server where it was kept."
    )


async def further_dates(reader: Reader, events: Sequence[Event]) -> Mapping[EventId, FurtherDates]:
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
            found[event_id] = FurtherDates(f"/series/{quote(one.slug)}", words)
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


async def path_of_host(reader: Reader, host: UserId, *, is_public: bool) -> str:
    """The page of whoever hosts something that everybody sees; empty where that is not so, or nobody has signed in as them."""
    return (await paths_of_hosts(reader, [host], is_public=is_public))[host]


async def paths_of_hosts(reader: Reader, hosts: Sequence[UserId], *, is_public: bool) -> dict[UserId, str]:
    """The same of each of several."""
    people = await kinds(reader, hosts) if is_public else {}
    return {one: f"/people/{quote(one)}" if people.get(one) is UserKind.PERSON else "" for one in hosts}
