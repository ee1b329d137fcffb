"""The single e-mail about RSVPs made or withdrawn for a whole series. Its text is in ``emails.series_confirmation``."""

from collections.abc import Mapping, Sequence
from typing import Final

from groundwork.clock import Instant
from groundwork.database.bulk import execute_together
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.attendance.notify import CALENDAR_EMAIL_DELAY, IN_CALENDAR
from openmeet.domain.attendance.queries import of_user
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from openmeet.outbox.emails import enqueue_email_write

SERIES_ANSWERED_MAIL: Final = "series_answered"
SERIES_WITHDRAWN_MAIL: Final = "series_withdrawn"


async def enqueue(
    tx: Transaction, series: Series, caller: Caller, dates: Sequence[Event], before: Mapping[EventId, Attendance]
) -> None:
    """Enqueue one e-mail about this person's RSVPs to these dates if their calendar changes. Hosts get none.

    ``before``: the person's earlier RSVPs to these dates.
    """
    if series.owner_id == caller.user_id:
        return
    now = await of_user(tx, caller.user_id, [event.id for event in dates])
    goes = {event_id for event_id, one in now.items() if one.is_seated}
    went = {event_id for event_id, one in before.items() if one.is_seated}
    kind = None
    if goes - went:
        kind = SERIES_ANSWERED_MAIL
    elif any(one.status in IN_CALENDAR and now[event_id].status not in IN_CALENDAR for event_id, one in before.items()):
        kind = SERIES_WITHDRAWN_MAIL
    if kind is not None:
        due_at = Instant(tx.now + CALENDAR_EMAIL_DELAY)
        job = enqueue_email_write(
            tx, kind=kind, person=caller.user_id, subject_id=series.id, revision=int(tx.now), due_at=due_at
        )
        await execute_together(tx, [job])
