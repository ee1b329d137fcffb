"""The letter after somebody has answered: where and when, how to get in, an entry for the calendar, and the link to change it.

Guests have no page that they could look it up on, and the letter that asked them to confirm is of no use any more. Who has an
account gets it for the entry, unless they want none.
"""

from groundwork.database.transaction import Database, Transaction
from openmeet.domain.attendance import notify
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.queries import find as answer_of
from openmeet.domain.attendance.registration import of_event as joining_of
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.attendance.waitlist import before
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.seeing import private_details_for
from openmeet.domain.events.time_words import join_from_words
from openmeet.domain.users.model import UserId
from openmeet.emails.calendar_file import file_of
from openmeet.emails.notifications.items import when_words
from openmeet.emails.own import Addressee, addressee_of
from openmeet.emails.render import Letterhead
from openmeet.emails.rsvp_status import stands_words
from openmeet.i18n.markdown import one_line
from openmeet.outbox.emails import Composer, Due, Letter

# Whoever said no needs no letter about it.
_COMES = frozenset(
    {
        AttendanceStatus.ATTENDING,
        AttendanceStatus.INTERESTED,
        AttendanceStatus.WAITLISTED,
        AttendanceStatus.PENDING,
    }
)


def confirmed_composer(head: Letterhead) -> Composer:
    """The composer of ``GUEST_CONFIRMED_MAIL``; says nothing when the guest has an account or comes no more, or the event went."""

    async def compose(db: Database, due: Due) -> Letter | None:
        async with db.transaction() as tx:
            to = await addressee_of(tx, head, UserId(due.person), is_asked_for=True)
            return await _letter(tx, head, due, to) if to is not None and to.is_guest else None

    return compose


def answered_composer(head: Letterhead) -> Composer:
    """The composer of ``ANSWERED_MAIL``; says nothing when they want none, or do not go any more."""

    async def compose(db: Database, due: Due) -> Letter | None:
        async with db.transaction() as tx:
            to = await addressee_of(tx, head, UserId(due.person))
            mine = await answer_of(tx, EventId(due.subject_id), UserId(due.person))
            return await _letter(tx, head, due, to) if to is not None and mine is not None and mine.is_seated else None

    return compose


async def _letter(tx: Transaction, head: Letterhead, due: Due, to: Addressee) -> Letter | None:
    """How the answer stands, where and when, how to get in as far as they may know, and the entry."""
    user_id = UserId(due.person)
    event = await event_by_id(tx, EventId(due.subject_id))
    mine = None if event is None else await answer_of(tx, event.id, user_id)
    if event is None or mine is None or mine.status not in _COMES:
        return None
    if event.is_gone or event.is_cancelled or event.is_over(tx.now):
        return None
    if event.id not in await seen_by(tx, [event], user_id):
        return None
    joining = await joining_of(tx, event)
    stands = stands_words(event, joining, mine, await before(tx, mine), tx.now)
    seen = await private_details_for(tx, event, user_id, is_going=mine.is_seated)
    title = one_line(event.title)
    place = [one_line(line) for line in seen.place.lines]
    about = [title, when_words(event), *place]
    more = []
    if seen.web_link:
        more.append(f"Join online:\n{seen.web_link}")
    elif later := join_from_words(event, seen):
        more.append(f"The link to join is shown behind the link below from {later}.")
    if seen.door_note and mine.is_seated:
        more.append(f"How to get in:\n{seen.door_note}")
    answer_url = await to.answer_url(tx, head, event.id)
    closing = to.closing
    if to.is_guest:
        closing = (
            f"You answered on {head.site_name} without an account. Keep this mail: its link is the way to your answer."
            f"\n\n{to.closing}"
        )
    answer = "Change your answer, or show your ticket:" if mine.is_seated else "Change your answer:"
    parts = [stands, "\n".join(about), *more, f"{answer}\n{answer_url}", closing]
    calendar = await file_of(tx, head, event, user_id, is_tentative=not mine.is_seated)
    await notify.note_mailed(tx, [mine.id] if calendar else [])
    text = "\n\n".join(parts) + "\n"
    return Letter(to.address, f"Your answer: {title}", text, unsubscribe_url=to.stop_url, calendar=calendar)
