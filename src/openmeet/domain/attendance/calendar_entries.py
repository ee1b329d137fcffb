"""Calendar entries of attendees: the e-mails that send and end them, and which RSVPs have one.

An entry is ended only if an e-mail has sent it.
"""

from collections.abc import Sequence
from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.bulk import SqlWrite
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance.model import SEATED_STATUSES, Attendance, AttendanceId, AttendanceStatus
from openmeet.domain.attendance.rules import RsvpDecision
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.emails import email_job_write

# Kinds of e-mails: with a new entry, and with the end of one.
ANSWERED_MAIL: Final = "answered"
DECLINED_MAIL: Final = "withdrawn"

# How long calendar e-mails are delayed. People who answered by mistake, or just to try it, have declined by then.
CALENDAR_EMAIL_DELAY: Final = 5 * MINUTE

# Statuses for which the event belongs in the person's calendar.
IN_CALENDAR: Final = frozenset(
    {*SEATED_STATUSES, AttendanceStatus.INTERESTED, AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING}
)

# Value of ``attendances.calendar_entry`` while an e-mailed entry is in the person's calendar, stored as ``stands``. Empty
# before that; afterwards the name of the e-mail that ended the entry.
CALENDAR_ENTRY_SENT: Final = "stands"


def calendar_email_writes(
    tx: Transaction, event: Event, caller: Caller, rsvp: Attendance | None, decision: RsvpDecision
) -> Sequence[SqlWrite]:
    """Return SQL writes that enqueue a calendar e-mail to a person who is newly going, or whose event no longer belongs
    in their calendar (``IN_CALENDAR``); empty in all other cases.

    Hosts get none, because they already have the event.
    """
    if event.author_id == caller.user_id or (rsvp is not None and rsvp.status is decision.status):
        return ()
    if decision.status is AttendanceStatus.ATTENDING:
        return [_email_write(tx, ANSWERED_MAIL, event, caller.user_id, rsvp)]
    return calendar_end_writes(tx, event, caller.user_id, rsvp, decision)


def calendar_end_writes(
    tx: Transaction, event: Event, user_id: UserId, rsvp: Attendance | None, decision: RsvpDecision
) -> Sequence[SqlWrite]:
    """Return SQL writes that enqueue the end of a calendar entry for a person whose event no longer belongs in their
    calendar. It is sent only if an entry was sent.
    """
    if rsvp is None or rsvp.status not in IN_CALENDAR or decision.status in IN_CALENDAR:
        return ()
    return [_email_write(tx, DECLINED_MAIL, event, user_id, rsvp)]


async def mark_calendar_entries_sent(tx: Transaction, ids: Sequence[AttendanceId]) -> None:
    """Record that an e-mail sends the calendar entries of these RSVPs."""
    if ids:
        await tx.execute(
            "update attendances set calendar_entry = :sent where id in :ids and calendar_entry <> :sent",
            ids=sorted(ids),
            sent=CALENDAR_ENTRY_SENT,
        )


async def end_calendar_entries(tx: Transaction, ids: Sequence[AttendanceId], mail: str) -> set[AttendanceId]:
    """Mark the calendar entries that this e-mail ends, and return their RSVPs. Only entries that an earlier e-mail sent
    are included.

    ``mail`` is the name of the e-mail and the same on every delivery attempt. An e-mail with another name finds nothing
    left to end.
    """
    if not ids:
        return set()
    rows = await tx.fetch(
        "update attendances set calendar_entry = :mail where id in :ids and calendar_entry in (:sent, :mail)"
        " returning id",
        ids=sorted(ids),
        sent=CALENDAR_ENTRY_SENT,
        mail=mail,
    )
    return {AttendanceId(row["id"]) for row in rows}


def _email_write(tx: Transaction, kind: str, event: Event, user_id: UserId, rsvp: Attendance | None) -> SqlWrite:
    # The e-mail is written in one batch with the RSVP, which has its next revision then.
    revision = 1 if rsvp is None else rsvp.revision + 1
    due_at = Instant(tx.now + CALENDAR_EMAIL_DELAY)
    return email_job_write(tx, kind=kind, person=user_id, subject_id=event.id, revision=revision, due_at=due_at)
