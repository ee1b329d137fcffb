"""Which of several events somebody sees, by what they answered and how they stand in the events' groups."""

from collections.abc import Collection

from groundwork.database.transaction import Reader
from openmeet.attendance import queries
from openmeet.attendance.rules import is_invited
from openmeet.events import seeing
from openmeet.events.model import Event, EventId
from openmeet.users.model import UserId


async def seen_by(reader: Reader, events: Collection[Event], user_id: UserId) -> set[EventId]:
    """Ids of those that exist for this person: what news tell of an event is told to nobody else (invariant 3)."""
    mine = await queries.of_user(reader, user_id, [event.id for event in events])
    invited = {event_id for event_id, answer in mine.items() if is_invited(answer)}
    return {event.id for event in await seeing.seen(reader, list(events), user_id, invited)}
