"""The mail to whoever has said that they go: where, when, and an entry for the calendar; and the one that ends that entry.

What they say: ``letters.answered``, ``letters.withdrawn``.
"""

from collections.abc import Sequence
from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.together import Write
from groundwork.database.transaction import Transaction
from openmeet.attendance.model import Attendance, AttendanceStatus
from openmeet.attendance.rules import Decided
from openmeet.debts.deliveries import owing_mail
from openmeet.events.model import Event
from openmeet.users.model import Caller

ANSWERED_MAIL: Final = "answered"
WITHDRAWN_MAIL: Final = "withdrawn"

# Who answers by mistake, or looks what happens, has taken it back by then.
SETTLES_FOR: Final = 5 * MINUTE


def owing(tx: Transaction, event: Event, caller: Caller, mine: Attendance | None, decided: Decided) -> Sequence[Write]:
    """A mail is owed to who goes now and did not before, and to who does not go any more; hosts have it in their calendars anyway."""
    # Younger ones were not mailed: there is nothing to take back.
    left = decided.status is AttendanceStatus.DECLINED and mine is not None and mine.is_seated
    if left and mine is not None and tx.now - mine.answered_at >= SETTLES_FOR:
        return [_owing(tx, WITHDRAWN_MAIL, event, caller, mine.revision + 1)]
    goes = decided.status is AttendanceStatus.ATTENDING
    if not goes or event.author_id == caller.user_id or (mine is not None and mine.status is decided.status):
        return ()
    revision = 1 if mine is None else mine.revision + 1
    return [_owing(tx, ANSWERED_MAIL, event, caller, revision)]


def _owing(tx: Transaction, kind: str, event: Event, caller: Caller, revision: int) -> Write:
    due_at = Instant(tx.now + SETTLES_FOR)
    return owing_mail(tx, kind=kind, person=caller.user_id, subject_id=event.id, revision=revision, due_at=due_at)
