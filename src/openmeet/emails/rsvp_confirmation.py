"""E-mails about a person's own RSVP: confirmed or declined, with the calendar entry; and a guest's link to confirm it."""

from typing import Final
from urllib.parse import quote

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader, Transaction
from openmeet.domain.attendance import answer_texts, calendar_entries, waitlist
from openmeet.domain.attendance.answer_bar import AnswerBarInput, GoingOutcome, answer_bar_of
from openmeet.domain.attendance.answer_bar_inputs import bar_input_of
from openmeet.domain.attendance.answer_texts import AnswerFigures
from openmeet.domain.attendance.calendar_entries import IN_CALENDAR
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, RsvpReply
from openmeet.domain.attendance.queries import find as find_attendance
from openmeet.domain.attendance.registration import EventRegistration, registration_of
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.calendars.queries import zone_of_person
from openmeet.domain.events.event_access import private_details_for
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.time_and_place import join_from_label, lines_without_own_country, removal_notice
from openmeet.domain.guest_rsvps import actions as guest_rsvp_actions
from openmeet.domain.guest_rsvps import queries as guest_rsvp_queries
from openmeet.domain.guest_rsvps.queries import GuestRsvpId
from openmeet.domain.users.model import UserId
from openmeet.emails.calendar_file import cancellation_of, file_of
from openmeet.emails.notifications.texts import short_day_label, when_label
from openmeet.emails.render import (
    EmailCard,
    EmailContext,
    event_html,
    opt_out_lines,
    subject_line,
    text_link,
    with_closing,
)
from openmeet.emails.unsubscribe import EmailRecipient, addressee_of
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.i18n.markdown import one_line
from openmeet.outbox import email_suppressions
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail

# A person who declined gets no e-mail about it.
_SUBJECTS: Final = {
    AttendanceStatus.ATTENDING: lazy("You’re going"),
    AttendanceStatus.INTERESTED: lazy("Maybe"),
    AttendanceStatus.WAITLISTED: lazy("On the waitlist"),
    AttendanceStatus.PENDING: lazy("You asked for a place"),
}

_GUEST_SAYS: Final = {
    RsvpReply.GOING: lazy("You said you’re going to %(title)s."),
    RsvpReply.INTERESTED: lazy("You said maybe to %(title)s."),
    RsvpReply.DECLINED: lazy("You said you’re not going to %(title)s."),
}
# For "going" to an event that is full, or whose host approves everybody.
_GUEST_ASKS: Final = lazy("You asked for a place at %(title)s.")


def confirmed_composer(site: EmailContext) -> Composer:
    """Composer of ``GUEST_CONFIRMED_MAIL``. Composes nothing if the guest has created an account in the meantime, no
    longer attends, or the event no longer exists.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.transaction() as tx:
            to = await addressee_of(tx, site, UserId(due.person), is_asked_for=True)
            return await _confirmation_email(tx, site, due, to) if to is not None and to.is_guest else None

    return compose


def answered_composer(site: EmailContext) -> Composer:
    """Composer of ``ANSWERED_MAIL``. Composes nothing if the person has opted out or no longer attends."""

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.transaction() as tx:
            to = await addressee_of(tx, site, UserId(due.person))
            own_rsvp = await find_attendance(tx, EventId(due.subject_id), UserId(due.person))
            return (
                await _confirmation_email(tx, site, due, to)
                if to is not None and own_rsvp is not None and own_rsvp.is_seated
                else None
            )

    return compose


async def _confirmation_email(
    tx: Transaction, site: EmailContext, due: DueEmail, to: EmailRecipient
) -> OutgoingEmail | None:
    """The status of the RSVP, time and place, entry instructions if they may know them, and the calendar entry."""
    user_id = UserId(due.person)
    event = await event_by_id(tx, EventId(due.subject_id))
    own_rsvp = None if event is None else await find_attendance(tx, event.id, user_id)
    if event is None or own_rsvp is None or own_rsvp.status not in _SUBJECTS:
        return None
    if event.is_gone or event.is_cancelled or event.is_over(tx.now):
        return None
    if event.id not in await seen_by(tx, [event], user_id):
        return None
    event_registration = await registration_of(tx, event)
    sentence = answer_sentence(event_registration, own_rsvp, await waitlist.people_ahead(tx, own_rsvp), tx.now)
    seen = await private_details_for(tx, event, user_id, is_going=own_rsvp.is_seated)
    title, when = one_line(event.title), when_label(event, tx.now, to.time_zone)
    zone = await zone_of_person(tx, user_id, "")
    place = [one_line(line) for line in lines_without_own_country(seen.place, zone)]
    entry_instructions = seen.entry_instructions if own_rsvp.is_seated else ""
    join_note = ""
    if not seen.web_link and (later := join_from_label(event, seen)):
        join_note = gettext("Open the link below from %(when)s to see the link to join.", when=later)
    note = "\n".join(filter(None, (join_note, removal_notice(event, tx.now))))
    change_link = (gettext("Change your answer"), await to.answer_url(tx, site, event.id))
    links = (
        [(gettext("Show your ticket"), await to.ticket_url(tx, site, event.id)), change_link]
        if own_rsvp.is_seated
        else [change_link]
    )
    closing = to.closing
    if to.is_guest:
        without_account = gettext(
            "You answered on %(site)s without an account. Keep this e-mail: its link leads to your answer.",
            site=site.site_name,
        )
        closing = f"{without_account}\n\n{to.closing}"
    parts = [
        sentence,
        "\n".join([title, when, *place]),
        *([text_link(gettext("Join online"), seen.web_link)] if seen.web_link else []),
        *([note] if note else []),
        *([gettext("How to get in:") + f"\n{entry_instructions}"] if entry_instructions else []),
        *(text_link(label, url) for label, url in links),
    ]
    calendar = await file_of(tx, site, event, user_id, is_tentative=not own_rsvp.is_seated)
    await calendar_entries.mark_calendar_entries_sent(tx, [own_rsvp.id] if calendar else [])
    subject = subject_line(str(_SUBJECTS[own_rsvp.status]), title, short_day_label(event))
    card = EmailCard(sentence, when, links, place, seen.web_link, entry_instructions, note)
    return OutgoingEmail(
        to.address,
        subject,
        with_closing("\n\n".join(parts), closing),
        html=event_html(site, event, subject, card, closing),
        unsubscribe_url=to.stop_url,
        calendar=calendar,
        thread=event.id,
    )


def declined_composer(site: EmailContext) -> Composer:
    """Composer of ``DECLINED_MAIL``, which removes an event from the calendar of somebody who no longer attends.

    Composes nothing if they attend again, if the event no longer takes place, or if no e-mail ever contained the entry.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        user_id = UserId(due.person)
        async with db.transaction() as tx:
            to = await addressee_of(tx, site, user_id)
            event = await event_by_id(tx, EventId(due.subject_id))
            own_rsvp = None if event is None else await find_attendance(tx, event.id, user_id)
            if to is None or event is None or own_rsvp is None or own_rsvp.status in IN_CALENDAR:
                return None
            if event.is_gone or event.is_cancelled or event.is_over(tx.now):
                return None
            if event.id not in await seen_by(tx, [event], user_id):
                return None
            if not await calendar_entries.end_calendar_entries(tx, [own_rsvp.id], due.message_id_local):
                return None
            answer_url = await to.answer_url(tx, site, event.id)
            calendar = await cancellation_of(tx, site, event, own_rsvp)
            when = when_label(event, tx.now, to.time_zone)
        title = one_line(event.title)
        headline = gettext("You’re not going.")
        note = gettext("The attached file removes the entry from your calendar.")
        change = gettext("Change your answer")
        text = "\n\n".join([headline, f"{title}\n{when}", note, text_link(change, answer_url)])
        subject = subject_line(gettext("You’re not going"), title, short_day_label(event))
        html = event_html(
            site, event, subject, EmailCard(headline, when, [(change, answer_url)], note=note), to.closing
        )
        return OutgoingEmail(
            to.address,
            subject,
            with_closing(text, to.closing),
            html=html,
            unsubscribe_url=to.stop_url,
            calendar=calendar,
            thread=event.id,
        )

    return compose


def answer_sentence(
    event_registration: EventRegistration, own_rsvp: Attendance | None, people_ahead: int, now: Instant
) -> str:
    """The sentence that the answer bar shows to a person with an RSVP; empty without one.

    ``people_ahead``: how many people are ahead of them on the waitlist.
    """
    if own_rsvp is None:
        return ""
    bar_input = AnswerBarInput(event_registration.event, own_rsvp, now, event_registration.settings)
    return answer_texts.sentence_of(answer_bar_of(bar_input), bar_input, AnswerFigures(people_ahead=people_ahead))


def guest_composer(site: EmailContext) -> Composer:
    """Composer of ``GUEST_MAIL``, with the link that confirms a guest's RSVP. Composes nothing if the RSVP was
    confirmed or has expired, the event no longer exists, or the guest has opted out.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            guest_rsvp = await guest_rsvp_queries.find(reader, GuestRsvpId(due.subject_id))
            if guest_rsvp is None or guest_rsvp.used_at is not None or guest_rsvp.expires_at <= reader.now:
                return None
            if await email_suppressions.is_suppressed(reader, site.key, guest_rsvp.email):
                return None
            event, now = await event_by_id(reader, guest_rsvp.event_id), reader.now
            gets_place = event is None or await _gets_place(reader, event)
        if event is None or event.is_gone or event.is_cancelled:
            return None
        title, when = one_line(event.title), "" if event.starts_at is None else when_label(event, now)
        never = email_suppressions.url_of(site.key, site.public_url, guest_rsvp.email)
        confirm = gettext("Confirm it here")
        token = guest_rsvp_actions.token_of(site.key, guest_rsvp.id)
        # The event is named so that people with an old link get to its form. By then the request is deleted.
        page = f"{site.public_url}/answers/confirm/{token}?event={quote(event.slug)}"
        asks = guest_rsvp.request.reply is RsvpReply.GOING and not gets_place
        saying = (_GUEST_ASKS if asks else _GUEST_SAYS[guest_rsvp.request.reply]).filled(title=title)
        note = gettext("The link works for a day. An answer that isn’t confirmed is deleted.")
        mistyped = gettext(
            "If you didn’t answer on %(site)s, somebody mistyped their address. You don’t need to do anything.",
            site=site.site_name,
        )
        closing = f"{mistyped}\n\n{opt_out_lines(never)}"
        subject = gettext("Confirm your answer: %(title)s", title=title)
        text = "\n\n".join(["\n".join(filter(None, [saying, when])), text_link(confirm, page), note])
        card = EmailCard(gettext("Confirm your answer"), when, [(confirm, page)], note=f"{saying} {note}")
        return OutgoingEmail(
            guest_rsvp.email,
            subject,
            with_closing(text, closing),
            html=event_html(site, event, subject, card, closing),
            unsubscribe_url=never,
            thread=event.id,
        )

    return compose


async def _gets_place(reader: Reader, event: Event) -> bool:
    """Whether a new guest who says that they are going gets a place at once."""
    bar_input = await bar_input_of(reader, await registration_of(reader, event), None, rsvp=None)
    return answer_bar_of(bar_input).going_outcome is GoingOutcome.PLACE
