"""The order of locks where a record and its row meet: the event's row first, the publication after it.

People's edits lock the event, then owe; whoever settles a publication takes the same order, or the two would wait for
each other on PostgreSQL and one of them be rolled back.
"""

from groundwork.database.transaction import Transaction
from openmeet.attendance import queries as attendance_queries
from openmeet.attendance.model import AttendanceId
from openmeet.debts.publications import Kind
from openmeet.events import queries as event_queries
from openmeet.events.model import EventId


async def lock_row_of(tx: Transaction, kind: Kind, subject_id: str) -> None:
    """Lock the event that a publication is of, or that its answer is to."""
    if kind is Kind.EVENT:
        await event_queries.lock_for_update(tx, EventId(subject_id))
        return
    answer = await attendance_queries.by_id(tx, AttendanceId(subject_id))
    if answer is not None:
        await event_queries.lock_for_update(tx, answer.event_id)
