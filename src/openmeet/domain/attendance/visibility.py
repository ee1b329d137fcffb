"""Which of several events a person sees, by RSVPs and membership in the events' groups."""

from collections.abc import Collection, Sequence

from groundwork.database.transaction import Reader
from openmeet.domain.attendance import queries
from openmeet.domain.attendance.rules import is_invited
from openmeet.domain.events import rules, seeing
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.groups.membership_queries import roles_of
from openmeet.domain.users.model import UserId


async def seen_by(reader: Reader, events: Collection[Event], user_id: UserId) -> set[EventId]:
    """Ids of the events that this person sees: nobody else is notified of an event (invariant 3)."""
    mine = await queries.of_user(reader, user_id, [event.id for event in events])
    invited = {event_id for event_id, answer in mine.items() if is_invited(answer)}
    return {event.id for event in await seeing.seen(reader, list(events), user_id, invited)}


async def seen_by_all(reader: Reader, event: Event, people: Sequence[UserId]) -> list[UserId]:
    """The people among these who may see the event by their role in its group, in the order given."""
    roles = await roles_of(reader, event.group.id, people) if event.group else {}
    return [
        one for one in people if rules.may_see(event, one, is_invited=False, access=rules.access_by(roles.get(one)))
    ]
