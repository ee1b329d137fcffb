"""What is asked before somebody sits down, in one row: the event's row is locked, and others wait for it."""

from dataclasses import dataclass

from groundwork.database.transaction import Row, Transaction
from openmeet.domain.attendance.model import AnswerMode
from openmeet.domain.attendance.queries import HOLDS
from openmeet.domain.attendance.seating import Held
from openmeet.domain.events.model import EventId

COLUMNS = "seats.unsaid, seats.in_person, seats.online, seats.is_late, seats.is_waited_for, seats.last_number"

_BY_MODE = {"unsaid": "mode is null", "in_person": "mode = 'in_person'", "online": "mode = 'online'"}


def joined(event_id: str) -> str:
    """A table ``seats`` of one row, of the event that this expression names; parameter ``now``."""
    held = ", ".join(
        f"cast(coalesce(sum(case when {which} then party end), 0) as bigint) as {name}"
        for name, which in _BY_MODE.items()
    )
    return f"""(
        select {held},
               case when exists (select 1 from attendances where event_id = {event_id} and offered_until <= :now)
                    then 1 else 0 end as is_late,
               case when exists (select 1 from attendances
                                  where event_id = {event_id} and status = 'waitlisted' and offered_until is null)
                    then 1 else 0 end as is_waited_for,
               (select coalesce(max(waitlist_number), 0) from attendances where event_id = {event_id}) as last_number
          from attendances where event_id = {event_id} and {HOLDS}) seats"""


_NOW = f"select {COLUMNS} from {joined(':event_id')}"


@dataclass(frozen=True, slots=True)
class Places:
    """What decides whether there is room. ``has_late_offers``: some ended and nobody took them; ``is_waited_for``: there is a line,
    which ends at ``last_number``.
    """

    held: Held
    has_late_offers: bool
    is_waited_for: bool
    last_number: int


async def of_event(tx: Transaction, event_id: EventId) -> Places:
    """As they are now, for a decision."""
    return places_of((await tx.fetch(_NOW, event_id=event_id, now=tx.now))[0])


def places_of(row: Row) -> Places:
    """The model value of a row that has ``COLUMNS``."""
    held = {None: row["unsaid"], AnswerMode.IN_PERSON: row["in_person"], AnswerMode.ONLINE: row["online"]}
    return Places(
        Held({mode: taken for mode, taken in held.items() if taken}),
        bool(row["is_late"]),
        bool(row["is_waited_for"]),
        row["last_number"],
    )
