"""What somebody's answer begins with, in one statement: the event's row is locked, and others wait for it."""

from dataclasses import dataclass

from groundwork.database.transaction import Transaction
from openmeet.attendance import joining_queries, queries
from openmeet.attendance.joining import Joining
from openmeet.attendance.model import Attendance
from openmeet.events.model import Event
from openmeet.users.model import UserId
from openmeet.webhooks.queries import IS_ANY_ON

_OWN = [name.strip() for name in queries.COLUMNS.split(",")]

# A row for each subject that has settings, or one.
_BEGINNING = f"""
    select {", ".join(f"a.{name} as own_{name}" for name in _OWN)},
           {", ".join(f"j.{name.strip()}" for name in joining_queries.COLUMNS.split(","))},
           case when {IS_ANY_ON} then 1 else 0 end as is_heard
      from events e
      left join attendances a on a.event_id = e.id and a.user_id = :user_id
      left join joining_settings j on j.subject_id in :subjects
     where e.id = :event_id order by j.subject_id
"""


@dataclass(frozen=True, slots=True)
class Beginning:
    """One's answer so far, the settings that hold, and whether anybody at all asked for messages to an address of theirs."""

    mine: Attendance | None
    joining: Joining
    is_heard: bool


async def of_answer(tx: Transaction, event: Event, user_id: UserId) -> Beginning:
    """How an answer of this person to a locked event begins."""
    rows = await tx.fetch(_BEGINNING, event_id=event.id, user_id=user_id, subjects=joining_queries.subjects_of([event]))
    own = {name: rows[0][f"own_{name}"] for name in _OWN}
    return Beginning(
        queries.attendance_of(own) if own["id"] is not None else None,
        joining_queries.holding_each([event], [row for row in rows if row["subject_id"] is not None])[event.id],
        bool(rows[0]["is_heard"]),
    )
