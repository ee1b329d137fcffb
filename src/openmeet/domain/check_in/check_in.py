"""Finding the answer that a ticket is of, and one's own."""

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, NotFound
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance import queries as attendance
from openmeet.domain.attendance.model import Attendance, AttendanceId
from openmeet.domain.attendance.rules import is_invited
from openmeet.domain.check_in import codes, queries
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.seeing import may_see
from openmeet.domain.users.model import Caller


async def of_code(reader: Reader, key: SigningKey, event: Event, typed: str) -> AttendanceId:
    """The answer to this event with that ticket. InvalidForm names ``code``."""
    code = codes.read(typed)
    if code is None:
        raise InvalidForm({"code": "A ticket’s code has twelve letters and digits, like 7KQM-4T2P-9XAB."})
    for attendance_id in await queries.candidates(reader, event.id, codes.tail_of(code)):
        if codes.is_of(key, code, attendance_id):
            return attendance_id
    raise InvalidForm({"code": "This is no ticket of this event."})


async def own(reader: Reader, caller: Caller, slug: EventSlug) -> tuple[Event, Attendance]:
    """The event and the caller's place there. NotFound also where the event is theirs to see no more."""
    event = await by_slug(reader, slug)
    mine = await attendance.find(reader, event.id, caller.user_id) if event else None
    if (
        event is None
        or event.is_gone
        or mine is None
        or not mine.is_seated
        or not await may_see(reader, event, caller.user_id, is_invited=is_invited(mine))
    ):
        raise NotFound("You have no ticket for such an event.")
    return event, mine
