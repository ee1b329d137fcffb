"""E-mails about a person's own RSVP: confirmed or withdrawn, with the entry for the calendar."""

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.attendance import notify
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, PendingFor
from openmeet.domain.attendance.notify import IN_CALENDAR
from openmeet.domain.attendance.queries import find as answer_of
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.attendance.registration import of_event as joining_of
from openmeet.domain.attendance.rules import is_too_large, limits_of, most_together, places_words
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.attendance.waitlist import before
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.seeing import private_details_for
from openmeet.domain.events.time_words import join_from_words
from openmeet.domain.users.model import UserId
from openmeet.emails.calendar_file import end_of, file_of
from openmeet.emails.notifications.items import when_words
from openmeet.emails.render import Letterhead
from openmeet.emails.unsubscribe import EmailRecipient, addressee_of
from openmeet.i18n import formatting
from openmeet.i18n.markdown import one_line
from openmeet.outbox.emails import Composer, Due, OutgoingEmail
from openmeet.recurrence import wall_time

# A person who declined needs no e-mail about it.
_COMES = frozenset(
    {
        AttendanceStatus.ATTENDING,
        AttendanceStatus.INTERESTED,
        AttendanceStatus.WAITLISTED,
        AttendanceStatus.PENDING,
    }
)


def confirmed_composer(head: Letterhead) -> Composer:
    """Composer of ``GUEST_CONFIRMED_MAIL``; nothing when the guest has an account, no longer attends, or the event is
    gone.
    """

    async def compose(db: Database, due: Due) -> OutgoingEmail | None:
        async with db.transaction() as tx:
            to = await addressee_of(tx, head, UserId(due.person), is_asked_for=True)
            return await _letter(tx, head, due, to) if to is not None and to.is_guest else None

    return compose


def answered_composer(head: Letterhead) -> Composer:
    """Composer of ``ANSWERED_MAIL``; nothing after an opt-out, or when they no longer attend."""

    async def compose(db: Database, due: Due) -> OutgoingEmail | None:
        async with db.transaction() as tx:
            to = await addressee_of(tx, head, UserId(due.person))
            mine = await answer_of(tx, EventId(due.subject_id), UserId(due.person))
            return await _letter(tx, head, due, to) if to is not None and mine is not None and mine.is_seated else None

    return compose


async def _letter(tx: Transaction, head: Letterhead, due: Due, to: EmailRecipient) -> OutgoingEmail | None:
    """The status of the RSVP, where and when, how to get in as far as they may know, and the entry."""
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
    return OutgoingEmail(to.address, f"Your answer: {title}", text, unsubscribe_url=to.stop_url, calendar=calendar)


def withdrawn_composer(head: Letterhead) -> Composer:
    """Composer of ``WITHDRAWN_MAIL``; nothing when they attend after all, the event is off, or they never got the entry
    by e-mail.
    """

    async def compose(db: Database, due: Due) -> OutgoingEmail | None:
        user_id = UserId(due.person)
        async with db.transaction() as tx:
            to = await addressee_of(tx, head, user_id)
            event = await event_by_id(tx, EventId(due.subject_id))
            mine = None if event is None else await answer_of(tx, event.id, user_id)
            if to is None or event is None or mine is None or mine.status in IN_CALENDAR:
                return None
            if event.is_gone or event.is_cancelled or event.is_over(tx.now):
                return None
            if event.id not in await seen_by(tx, [event], user_id):
                return None
            if not await notify.end(tx, [mine.id], due.message_id_local):
                return None
            answer_url = await to.answer_url(tx, head, event.id)
            title = one_line(event.title)
            parts = [
                "You are not going. The file with this mail takes the entry out of your calendar.",
                f"{title}\n{when_words(event)}",
                f"Change your answer:\n{answer_url}",
                to.closing,
            ]
            calendar = await end_of(tx, head, event, mine)
        text = "\n\n".join(parts) + "\n"
        return OutgoingEmail(
            to.address, f"You are not going: {title}", text, unsubscribe_url=to.stop_url, calendar=calendar
        )

    return compose


_PLAIN = {
    AttendanceStatus.ATTENDING: "You are going.",
    AttendanceStatus.ATTENDED: "You were there.",
    AttendanceStatus.INTERESTED: "You are interested.",
    AttendanceStatus.DECLINED: "You are not going.",
    AttendanceStatus.INVITED: "You are invited.",
    AttendanceStatus.REJECTED: "The host has no place for you at this event.",
}


def stands_words(
    event: Event, joining: RegistrationSettings, mine: Attendance | None, before: int, now: Instant
) -> str:
    """One sentence or two; empty without an RSVP. ``before``: people on the waitlist before this one."""
    if mine is None:
        return ""
    party = f" You come as {mine.party} people." if mine.party > 1 and mine.is_seated else ""
    if mine.status is AttendanceStatus.WAITLISTED:
        words = offer_words(event, mine, now) or too_large_words(event, joining, mine)
        return words or f"You are on the waitlist: {before_words(before)}."
    if mine.status is AttendanceStatus.PENDING:
        return pending_words(mine)
    return _PLAIN[mine.status] + party


def offer_words(event: Event, mine: Attendance, now: Instant) -> str:
    """That a place is offered, and until when; empty where none is."""
    if mine.offered_until is None or not mine.has_offer(now):
        return ""
    until = wall_time.local_of(mine.offered_until, event.time_zone)
    places = "A place is" if mine.party == 1 else f"{mine.party} places are"
    return (
        f"{places} held for you until {formatting.span(until, None)}, {formatting.zone_words(until, event.time_zone)}."
    )


def too_large_words(event: Event, joining: RegistrationSettings, mine: Attendance) -> str:
    """That the party is larger than the lowered limit, so that no place will be free; empty where one may be."""
    limits = limits_of(event, joining)
    most = most_together(limits, mine.mode)
    if most is None or not is_too_large(limits, mine):
        return ""
    return (
        f"{places_words(most, mine.mode)}, and you come as {mine.party} people: nothing can become free for all of you."
        " Answer again with fewer people."
    )


def before_words(before: int) -> str:
    """``3 before you``."""
    return f"{before} before you" if before else "you are the next"


def pending_words(mine: Attendance) -> str:
    """Who has to confirm an RSVP that has no place yet."""
    if mine.pending_for is PendingFor.APPROVAL:
        return "You asked to come. The host says yes or no."
    return "Your answer from another app takes no place yet: the host confirms it."
