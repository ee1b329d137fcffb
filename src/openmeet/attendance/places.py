"""What is asked before somebody sits down, in one statement: the event's row is locked, and others wait for it."""

from dataclasses import dataclass

from groundwork.database.transaction import Transaction
from openmeet.attendance.model import AnswerMode
from openmeet.attendance.queries import HOLDS
from openmeet.attendance.seating import Held
from openmeet.events.model import EventId

_NOW = f"""
    select h.mode, h.taken, x.late, x.waiting
      from (select case when exists (select 1 from attendances where event_id = :event_id and offered_until <= :now)
                        then 1 else 0 end as late,
                   case when exists (select 1 from attendances
                                      where event_id = :event_id and status = 'waitlisted' and offered_until is null)
                        then 1 else 0 end as waiting) x
      left join (select mode, cast(sum(party) as bigint) as taken from attendances
                  where event_id = :event_id and {HOLDS} group by mode) h on 1 = 1
     order by h.mode
"""


@dataclass(frozen=True, slots=True)
class Places:
    """What decides whether there is room. ``has_late_offers``: some ended and nobody took them; ``is_waited_for``: there is a line."""

    held: Held
    has_late_offers: bool
    is_waited_for: bool


async def of_event(tx: Transaction, event_id: EventId) -> Places:
    """As they are now, for a decision."""
    rows = await tx.fetch(_NOW, event_id=event_id, now=tx.now)
    held_now = {AnswerMode(row["mode"]) if row["mode"] else None: int(row["taken"]) for row in rows if row["taken"]}
    return Places(Held(held_now), bool(rows[0]["late"]), bool(rows[0]["waiting"]))
