"""Two events turn out to be one: who answered both has one answer, and every other answer goes along."""

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance import joining_queries, merge, queries, seating
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.users.model import UserId


async def may_take_all(reader: Reader, event: Event) -> bool:
    """Whether the event takes whoever comes: nobody has to be counted."""
    return seating.limits_of(event, await joining_queries.of_event(reader, event)).is_open


async def join(tx: Transaction, gone: EventId, kept: EventId) -> list[UserId]:
    """Answers to ``gone`` are answers to ``kept``; both rows are locked. Who had answered both."""
    rows = await tx.fetch(
        f"select {queries.COLUMNS} from attendances where event_id in :ids order by user_id", ids=[gone, kept]
    )
    answers: dict[UserId, dict[EventId, Attendance]] = {}
    for one in map(queries.attendance_of, rows):
        answers.setdefault(one.user_id, {})[one.event_id] = one
    both = [user_id for user_id, found in answers.items() if len(found) == 2]  # two events
    for user_id in both:
        await merge.join_answers(tx, [(answers[user_id][gone], answers[user_id][kept])], user_id)
    await tx.execute("update attendances set event_id = :kept where event_id = :gone", kept=kept, gone=gone)
    return both
