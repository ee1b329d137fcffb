"""Input for the answer bars of one event or of a list of events. The number of queries does not depend on the number of
events.
"""

from collections.abc import Collection, Mapping, Sequence

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import actions, history, registration, waitlist
from openmeet.domain.attendance.answer_bar import AnswerBarInput
from openmeet.domain.attendance.model import NO_COUNTS, Attendance, RsvpCounts
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rules import EventRelationship
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.groups.membership_queries import is_unwelcome_at
from openmeet.domain.groups.model import INSIDE, GroupRole
from openmeet.domain.groups.queries import roles_in
from openmeet.domain.users.model import UserId


async def bar_inputs_of(
    reader: Reader,
    events: Sequence[Event],
    viewer: UserId | None,
    *,
    own_rsvps: Mapping[EventId, Attendance],
    counts: Mapping[EventId, RsvpCounts],
    hosted: Collection[EventId],
) -> dict[EventId, AnswerBarInput]:
    """Return the input of ``answer_bar_of`` for each event. ``hosted`` contains the events where the viewer decides about
    answers.
    """
    registrations = await registration.registrations_of(reader, events)
    full = await waitlist.full_event_ids(reader, registrations.values())
    roles = {} if viewer is None else await _roles_at(reader, events, viewer)
    unwelcome = set() if viewer is None else await _unwelcome_at(reader, events, viewer)
    missed = await history.missed_offers(reader, list(own_rsvps.values()))
    return {
        event.id: AnswerBarInput(
            event,
            own_rsvps.get(event.id),
            reader.now,
            registrations[event.id].settings,
            EventRelationship(
                is_host=event.id in hosted,
                is_member=roles.get(event.id) in INSIDE,
            ),
            is_hosting=event.id in hosted,
            is_welcome=event.id not in unwelcome,
            is_full=event.id in full,
            has_missed_offer=event.id in own_rsvps and own_rsvps[event.id].id in missed,
            pending_people=counts.get(event.id, NO_COUNTS).pending_people,
            pending_rsvps=counts.get(event.id, NO_COUNTS).pending_rsvps,
        )
        for event in events
    }


async def bar_input_of(
    reader: Reader, event_registration: EventRegistration, person: UserId | None, *, rsvp: Attendance | None
) -> AnswerBarInput:
    """Return the input of ``answer_bar_of`` for one event and the person who answers it, on a page or by e-mail.
    ``person`` is None if they are not known yet.
    """
    event = event_registration.event
    return AnswerBarInput(
        event,
        rsvp,
        reader.now,
        event_registration.settings,
        await actions.relationship_of(reader, event_registration, person),
        is_welcome=person is None or await is_welcome(reader, event, person),
        is_full=await waitlist.is_full_now(reader, event_registration),
        has_missed_offer=await history.has_missed_offer(reader, rsvp),
    )


async def is_welcome(reader: Reader, event: Event, person: UserId) -> bool:
    """Whether this person may answer yes: neither the host nor a moderator has blocked them, and the group has not
    banned them.
    """
    return not await _unwelcome_at(reader, [event], person)


async def _unwelcome_at(reader: Reader, events: Sequence[Event], person: UserId) -> set[EventId]:
    rows = await reader.fetch(
        f"select e.id from events e where e.id in :events and {is_unwelcome_at('e.author_id', 'e.group_id', ':person')}",
        events=sorted(event.id for event in events),
        person=person,
    )
    return {EventId(row["id"]) for row in rows}


async def _roles_at(reader: Reader, events: Sequence[Event], person: UserId) -> dict[EventId, GroupRole]:
    """Return the person's role in each event's group. Events without a group, or where they have no role, are left out."""
    groups = {event.id: event.group.id for event in events if event.group is not None}
    roles = await roles_in(reader, sorted(set(groups.values())), person) if groups else {}
    return {event_id: roles[group_id] for event_id, group_id in groups.items() if group_id in roles}
