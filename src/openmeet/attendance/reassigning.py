"""Two rows of people turn out to be one person: their answers become one person's, at most one per event, and no seat is lost."""

from groundwork.database.transaction import Transaction
from openmeet.attendance import joining_queries, line, queries
from openmeet.attendance.model import Attendance, AttendanceStatus
from openmeet.events.queries import lock_for_update
from openmeet.users.model import UserId

# Where both answered, the answer that holds more stays; among equals the later one. Being turned down outlives the rest.
_WORTH = {
    AttendanceStatus.REJECTED: 8,
    AttendanceStatus.ATTENDED: 7,
    AttendanceStatus.ATTENDING: 6,
    AttendanceStatus.WAITLISTED: 5,
    AttendanceStatus.PENDING: 4,
    AttendanceStatus.INTERESTED: 3,
    AttendanceStatus.INVITED: 2,
    AttendanceStatus.DECLINED: 1,
}


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> int:
    """Everything ``from_user`` answered is ``to_user``'s; how many answers that was. Events are locked in the order of their ids."""
    rows = await tx.fetch(
        f"select {queries.COLUMNS} from attendances where user_id = :user_id order by event_id", user_id=from_user
    )
    for row in rows:
        event = await lock_for_update(tx, row["event_id"])
        theirs = await queries.find(tx, row["event_id"], from_user)
        if event is None or theirs is None:
            continue
        mine = await queries.find(tx, event.id, to_user)
        if mine is None:
            await _give(tx, theirs, to_user)
            continue
        kept, dropped = (theirs, mine) if _worth(theirs) > _worth(mine) else (mine, theirs)
        # What became of both is the history of the one that stays.
        await tx.execute(
            "update attendance_changes set attendance_id = :kept where attendance_id = :dropped",
            kept=kept.id,
            dropped=dropped.id,
        )
        await queries.delete(tx, dropped.id)
        if kept.user_id != to_user:
            await _give(tx, kept, to_user)
        if kept.record_uri is None and dropped.record_uri is not None:
            await queries.set_record(tx, kept.id, dropped.record_uri)
        await line.fill(tx, event, await joining_queries.of_event(tx, event))
    await tx.execute(
        "update attendance_changes set actor_id = :to_user where actor_id = :from_user",
        to_user=to_user,
        from_user=from_user,
    )
    return len(rows)


async def _give(tx: Transaction, one: Attendance, to_user: UserId) -> None:
    await tx.execute("update attendances set user_id = :to_user where id = :id", to_user=to_user, id=one.id)


def _worth(one: Attendance) -> tuple[int, int]:
    return _WORTH[one.status], one.answered_at
