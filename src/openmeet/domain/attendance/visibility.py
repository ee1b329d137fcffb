"""Which events a person can see, based on their RSVPs and their membership in the events' groups; and their own RSVPs."""

from collections.abc import Collection, Sequence

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound, Reason
from openmeet.domain.attendance import queries
from openmeet.domain.attendance.model import SEATED_STATUSES, Attendance
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.events import event_access, rules
from openmeet.domain.events.disclosure import PrivateDetails
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.groups.membership_queries import roles_of
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason


async def visible_event(
    reader: Reader, slug: EventSlug, viewer: UserId | None, *, refusal: Reason = GeneralReason.NO_SUCH_EVENT
) -> tuple[Event, Attendance | None]:
    """The event and this person's RSVP to it. Raises NotFound (``refusal``) if it does not exist, was deleted, or is
    hidden from them.
    """
    event, rsvp = await _event_and_rsvp(reader, slug, viewer)
    access = rsvp_gives_access(rsvp)
    return await event_access.require_visible(reader, event, viewer, has_rsvp_access=access, refusal=refusal), rsvp


async def event_to_show(
    reader: Reader, slug: EventSlug, viewer: UserId | None
) -> tuple[Event, Attendance | None, PrivateDetails]:
    """The event, this person's RSVP to it, and the private details that they may know.

    Raises NotFound if it does not exist or is hidden from them, Gone if it was deleted.
    """
    event, rsvp = await _event_and_rsvp(reader, slug, viewer)
    if event is None or not await event_access.may_see(reader, event, viewer, has_rsvp_access=rsvp_gives_access(rsvp)):
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    event_access.raise_if_gone(event)
    is_going = rsvp is not None and rsvp.status in SEATED_STATUSES
    return event, rsvp, await event_access.private_details_for(reader, event, viewer, is_going=is_going)


async def _event_and_rsvp(
    reader: Reader, slug: EventSlug, viewer: UserId | None
) -> tuple[Event | None, Attendance | None]:
    event = await by_slug(reader, slug)
    return event, None if event is None or viewer is None else await queries.find(reader, event.id, viewer)


async def own_rsvp(reader: Reader, slug: EventSlug, user_id: UserId) -> Attendance:
    """The RSVP of this person, even if they can no longer see the event. Raises NotFound, also if there is no such
    event.
    """
    event, rsvp = await _event_and_rsvp(reader, slug, user_id)
    if event is None or rsvp is None:
        raise NotFound(AttendanceReason.NO_OWN_ANSWER)
    return rsvp


async def seen_by(reader: Reader, events: Collection[Event], user_id: UserId | None) -> set[EventId]:
    """Ids of the events that this person can see; None for visitors. Only people who can see an event are notified of it
    (invariant 3).
    """
    rsvps = {} if user_id is None else await queries.of_user(reader, user_id, [event.id for event in events])
    with_access = {event_id for event_id, rsvp in rsvps.items() if rsvp_gives_access(rsvp)}
    return {event.id for event in await event_access.seen(reader, list(events), user_id, with_access)}


async def people_who_see_by_role(reader: Reader, event: Event, people: Sequence[UserId]) -> list[UserId]:
    """Return which of these people may see the event by their role in its group, in the order given."""
    roles = await roles_of(reader, event.group.id, people) if event.group else {}
    return [
        one
        for one in people
        if rules.may_see(event, one, has_rsvp_access=False, access=rules.access_by(roles.get(one)))
    ]
