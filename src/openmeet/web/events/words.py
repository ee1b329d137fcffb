"""Texts shared by pages, API and calendar files: deleted events, further dates, host links."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from groundwork.database.transaction import Reader
from groundwork.errors import Gone, NotFound
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.series_dates import more_dates
from openmeet.domain.events.values import Visibility
from openmeet.domain.series import queries
from openmeet.domain.series.model import Series, SeriesId, SeriesStatus
from openmeet.domain.users.model import UserId, UserKind
from openmeet.domain.users.queries import kinds
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.recurrence import expansion
from openmeet.web.events.listing import FurtherDates


def must_be_here(event: Event, *, concerns: bool = False) -> None:
    """Raises Gone (410) for a deleted event that was public; NotFound for anything else.

    ``concerns``: the viewer answered or hosted it, and learns which one it was even if it was not public.
    """
    if not event.is_gone:
        return
    if event.is_hidden or event.is_held or (event.visibility is not Visibility.PUBLIC and not concerns):
        raise NotFound(EventReason.NO_SUCH_EVENT)
    # A record that is missing from its repository may have been deleted there by any app.
    is_by_host = event.deleted_at is not None
    if concerns and event.title:
        raise Gone(
            EventReason.NAMED_EVENT_DELETED if is_by_host else EventReason.NAMED_EVENT_REMOVED_ELSEWHERE,
            title=event.title,
        )
    raise Gone(EventReason.DELETED if is_by_host else EventReason.REMOVED_ELSEWHERE)


async def further_dates(reader: Reader, events: Sequence[Event]) -> Mapping[EventId, FurtherDates]:
    """Texts about further dates of series."""
    place = {event.id: SeriesId(event.place_in_series.series_id) for event in events if event.place_in_series}
    series = await queries.by_ids(reader, list(dict.fromkeys(place.values())))
    numbers = await more_dates(reader, events)
    found = {}
    for event_id, series_id in place.items():
        one = series.get(series_id)
        if one is None or one.deleted_at is not None or one.is_hidden:
            continue
        words = _more_dates_label(numbers.get(event_id, 0), goes_on=_goes_on(one))
        if words:
            found[event_id] = FurtherDates(f"/series/{quote(one.slug)}", words)
    return found


def _goes_on(series: Series) -> bool:
    """Whether it has dates beyond the stored ones. A remote or detected series has only those that are stored."""
    return (
        series.status is SeriesStatus.ACTIVE
        and not series.is_read_only
        and bool(expansion.following(series.timing.pattern, series.stored_until, 1))
    )


# A small number of stored dates says nothing about a series that continues.
_FEW = 3


def _more_dates_label(number: int, *, goes_on: bool) -> str:
    if goes_on and number < _FEW:
        return gettext("and more dates")
    if number == 0:
        return ""
    if goes_on:
        return ngettext("and at least %(number)s more date", "and at least %(number)s more dates", number)
    return ngettext("and %(number)s more date", "and %(number)s more dates", number)


async def path_of_host(reader: Reader, host: UserId, *, is_public: bool) -> str:
    """The public profile of a host; empty if there is none."""
    return (await paths_of_hosts(reader, [host], is_public=is_public))[host]


async def paths_of_hosts(reader: Reader, hosts: Sequence[UserId], *, is_public: bool) -> dict[UserId, str]:
    """``path_of_host`` for several."""
    people = await kinds(reader, hosts) if is_public else {}
    return {one: f"/people/{quote(one)}" if people.get(one) is UserKind.PERSON else "" for one in hosts}
