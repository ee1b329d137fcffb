"""The mail to whoever has said that they go: where, when, and an entry for the calendar; and the one that ends that entry.

What they say: ``letters.answered``, ``letters.withdrawn``. Which entries stand in whose calendar is noted beside each answer, by whoever writes
the mail: what was never mailed needs no end, and what was ended is not ended again.
"""

from collections.abc import Sequence
from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.together import Write
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance.model import SEATED, Attendance, AttendanceId, AttendanceStatus
from openmeet.domain.attendance.rules import Decided
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.emails import owing_mail

ANSWERED_MAIL: Final = "answered"
WITHDRAWN_MAIL: Final = "withdrawn"

# Who answers by mistake, or looks what happens, has taken it back by then.
SETTLES_FOR: Final = 5 * MINUTE

# Who keeps the event in their calendar.
IN_CALENDAR: Final = frozenset(
    {*SEATED, AttendanceStatus.INTERESTED, AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING}
)

# In ``attendances.calendar_entry``: the entry was mailed. Empty before; afterwards the name of the mail that ended it.
_STANDS: Final = "stands"


def owing(tx: Transaction, event: Event, caller: Caller, mine: Attendance | None, decided: Decided) -> Sequence[Write]:
    """A mail is owed to who goes now and did not before, and to who comes no more; hosts have it in their calendars anyway."""
    if event.author_id == caller.user_id or (mine is not None and mine.status is decided.status):
        return ()
    revision = 1 if mine is None else mine.revision + 1
    if decided.status is AttendanceStatus.ATTENDING:
        return [_owing(tx, ANSWERED_MAIL, event, caller.user_id, revision)]
    return owing_end(tx, event, caller.user_id, mine, decided)


def owing_end(
    tx: Transaction, event: Event, user_id: UserId, mine: Attendance | None, decided: Decided
) -> Sequence[Write]:
    """A mail is owed to who comes no more: it ends the entry, if one was ever mailed to them."""
    if mine is None or mine.status not in IN_CALENDAR or decided.status in IN_CALENDAR:
        return ()
    return [_owing(tx, WITHDRAWN_MAIL, event, user_id, mine.revision + 1)]


async def note_mailed(tx: Transaction, ids: Sequence[AttendanceId]) -> None:
    """The entries of these answers go out with a mail."""
    if ids:
        await tx.execute(
            "update attendances set calendar_entry = :stands where id in :ids and calendar_entry <> :stands",
            ids=sorted(ids),
            stands=_STANDS,
        )


async def end(tx: Transaction, ids: Sequence[AttendanceId], mail: str) -> set[AttendanceId]:
    """Those of these answers whose entries a mail is to end, because an earlier one had brought them.

    ``mail``: its name, the same for every attempt to send it; to another one there is nothing left to end.
    """
    if not ids:
        return set()
    rows = await tx.fetch(
        "update attendances set calendar_entry = :mail where id in :ids and calendar_entry in (:stands, :mail)"
        " returning id",
        ids=sorted(ids),
        stands=_STANDS,
        mail=mail,
    )
    return {AttendanceId(row["id"]) for row in rows}


def _owing(tx: Transaction, kind: str, event: Event, user_id: UserId, revision: int) -> Write:
    due_at = Instant(tx.now + SETTLES_FOR)
    return owing_mail(tx, kind=kind, person=user_id, subject_id=event.id, revision=revision, due_at=due_at)
