"""What answer bars are made from: for one event, and for lists, where the number of statements does not depend on the number of events."""

from collections.abc import Collection, Mapping, Sequence

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import actions, registration, waitlist
from openmeet.domain.attendance.answer_state import AnswerCase
from openmeet.domain.attendance.model import NO_COUNTS, Attendance, RsvpCounts
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.attendance.rules import EventRelationship
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.groups.model import INSIDE
from openmeet.domain.groups.queries import roles_in
from openmeet.domain.moderation.blocks import refusing_among
from openmeet.domain.users.model import UserId


async def cases_of(
    reader: Reader,
    events: Sequence[Event],
    viewer: UserId | None,
    *,
    mine: Mapping[EventId, Attendance],
    counts: Mapping[EventId, RsvpCounts],
    hosted: Collection[EventId],
) -> dict[EventId, AnswerCase]:
    """The input of ``bar_of`` for each event. ``hosted``: the events where the viewer decides about answers."""
    settings = await registration.of_events(reader, events)
    full = await waitlist.full_event_ids(reader, events, settings)
    members_only = [event for event in events if settings[event.id].is_members_only and event.group is not None]
    groups = [event.group.id for event in members_only if event.group is not None]
    roles = {} if viewer is None or not groups else await roles_in(reader, groups, viewer)
    refusing = set() if viewer is None else await refusing_among(reader, {event.author_id for event in events}, viewer)
    return {
        event.id: AnswerCase(
            event,
            mine.get(event.id),
            reader.now,
            settings[event.id],
            EventRelationship(
                is_host=event.id in hosted, is_member=event.group is not None and roles.get(event.group.id) in INSIDE
            ),
            is_hosting=event.id in hosted,
            is_welcome=event.author_id not in refusing,
            is_full=event.id in full,
            people_asking=counts.get(event.id, NO_COUNTS).unconfirmed,
        )
        for event in events
    }


async def case_of(
    reader: Reader, event: Event, person: UserId, *, mine: Attendance | None, settings: RegistrationSettings
) -> AnswerCase:
    """The input of ``bar_of`` for one event and the person who answers it, by a page or an e-mail."""
    return AnswerCase(
        event,
        mine,
        reader.now,
        settings,
        await actions.relationship_of(reader, event, settings, person),
        is_welcome=not await refusing_among(reader, [event.author_id], person),
        is_full=await waitlist.would_wait(reader, event, settings),
    )
