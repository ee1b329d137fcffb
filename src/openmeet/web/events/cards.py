"""Event cards grouped by day, with everything that lists show: cover, host, attendees, up to two badges."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import queries as attendance
from openmeet.domain.attendance.answer_bar import answer_bar_of
from openmeet.domain.attendance.answer_bar_inputs import bar_inputs_of
from openmeet.domain.attendance.who_comes import counts_shown, faces_of
from openmeet.domain.events import seeing
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.groups.model import GroupId
from openmeet.domain.identities.queries import consent, shown_names
from openmeet.domain.users.model import UserId
from openmeet.i18n.reasons.messages import explain
from openmeet.outbox import publication_status, publications
from openmeet.outbox.reasons import RecordStatus
from openmeet.web.events import badges
from openmeet.web.events.listing import FurtherDates, ListedDay, ListedFacts, grouped_by_day
from openmeet.web.events.publication_view import event_status
from openmeet.web.site.faces import portraits_of


async def day_cards(
    reader: Reader,
    public_url: str,
    viewer: UserId | None,
    events: Sequence[Event],
    *,
    with_sync: bool = False,
    further: Mapping[EventId, FurtherDates] = MappingProxyType({}),
    within: GroupId | None = None,
    distances: Mapping[EventId, str] = MappingProxyType({}),
    is_hosting: bool = False,
) -> list[ListedDay]:
    """Cards of these events, in order, grouped by day. ``with_sync`` adds the publication status of the viewer's own
    events.

    ``further`` is for lists that show each series once. ``within`` is the group that the list is about. ``distances``
    are measured from the place that was searched for. With ``is_hosting``, the viewer hosts all of the events, so the
    cards do not say so.
    """
    facts = await facts_of(reader, public_url, viewer, events, with_sync=with_sync, further=further, within=within)
    return grouped_by_day(events, replace(facts, distances=distances, is_hosting=is_hosting), reader.now)


async def facts_of(
    reader: Reader,
    public_url: str,
    viewer: UserId | None,
    events: Sequence[Event],
    *,
    with_sync: bool = False,
    further: Mapping[EventId, FurtherDates] = MappingProxyType({}),
    within: GroupId | None = None,
) -> ListedFacts:
    """The data that the cards of these events show, limited to what this viewer may know."""
    ids = [event.id for event in events]
    counts = await counts_shown(reader, ids)
    own_rsvps = await attendance.of_user(reader, viewer, ids) if viewer else {}
    hosted = await seeing.managed_among(reader, events, viewer)
    bar_inputs = await bar_inputs_of(reader, events, viewer, own_rsvps=own_rsvps, counts=counts, hosted=hosted)
    faces = await faces_of(reader, list(bar_inputs.values()))
    attendees = [one for several in faces.values() for one in several]
    return ListedFacts(
        bar_inputs,
        {event_id: answer_bar_of(bar_input) for event_id, bar_input in bar_inputs.items()},
        counts,
        faces,
        await shown_names(reader, [*(event.author_id for event in events), *attendees]),
        await portraits_of(reader, viewer, attendees),
        await badges.in_a_list(reader, events, public_url, within=within),
        await _sync_of(reader, events, viewer) if with_sync and viewer else {},
        further,
    )


async def _sync_of(reader: Reader, events: Sequence[Event], viewer: UserId) -> dict[EventId, str]:
    """The publication status of the viewer's own events. Events with this person's usual status are left out."""
    own_events = [event for event in events if event.author_id == viewer]
    publications_of = await publication_status.statuses(
        reader, publications.PublicationKind.EVENT, [event.id for event in own_events]
    )
    has_agreed = (await consent(reader, viewer)).is_given
    statuses = {
        event.id: event_status(event, publications_of[event.id], reader.now, has_agreed=has_agreed)
        for event in own_events
    }
    # People who do not publish anything do not expect their events to have records.
    usual = RecordStatus.PUBLISHED() if has_agreed else RecordStatus.ONLY_HERE()
    return {event_id: explain(status) for event_id, status in statuses.items() if status != usual}
