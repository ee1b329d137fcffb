"""Event cards grouped by day, with everything that lists show."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import queries as attendance
from openmeet.domain.attendance.lists import counts_shown
from openmeet.domain.events import seeing
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.identities.queries import consent
from openmeet.domain.users.model import Caller
from openmeet.outbox import publications
from openmeet.web.events import badges
from openmeet.web.events.listing import FurtherDates, ListedDay, days
from openmeet.web.events.publication_view import event_words
from openmeet.web.site.services import services


async def day_cards(
    reader: Reader,
    request: Request,
    caller: Caller | None,
    events: list[Event],
    *,
    with_sync: bool = False,
    further: Mapping[EventId, FurtherDates] = MappingProxyType({}),
) -> list[ListedDay]:
    """Cards of these events, in order. ``with_sync``: include publication status, for the caller's own events."""
    ids = [event.id for event in events]
    counts = await counts_shown(reader, ids)
    mine = await attendance.of_user(reader, caller.user_id, ids) if caller else {}
    sync: dict[str, str] = {}
    if with_sync and caller:
        own = [event for event in events if event.author_id == caller.user_id]
        standings = await publications.states(reader, publications.PublicationKind.EVENT, [event.id for event in own])
        has_agreed = (await consent(reader, caller.user_id)).is_given
        sync = {event.id: event_words(event, standings[event.id], reader.now, has_agreed=has_agreed) for event in own}
    hosted = await seeing.run_among(reader, events, caller.user_id) if with_sync and caller else set()
    shown = await badges.in_a_list(
        reader, events, services(request).settings.public_url, caller.user_id if caller else None
    )
    return days(events, counts, mine, sync, further, hosted, shown)
