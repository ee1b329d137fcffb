"""E-mail with the link that confirms a guest's RSVP."""

from groundwork.database.transaction import Database
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.queries import by_id
from openmeet.domain.guest_rsvps import actions, queries
from openmeet.domain.guest_rsvps.queries import GuestAnswerId
from openmeet.emails.notifications.texts import when_label
from openmeet.emails.render import EmailCard, EmailContext, event_html
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.i18n.markdown import one_line
from openmeet.outbox import email_suppressions, emails
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail

_SAYS = {
    RsvpReply.GOING: lazy("You said you’re going to %(title)s."),
    RsvpReply.INTERESTED: lazy("You said maybe to %(title)s."),
    RsvpReply.DECLINED: lazy("You said you’re not going to %(title)s."),
}


def guest_composer(head: EmailContext) -> Composer:
    """Composer of ``GUEST_MAIL``. Composes nothing if the RSVP was confirmed or has expired, the event no longer
    exists, or the guest has opted out.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            guest_rsvp = await queries.find(reader, GuestAnswerId(due.subject_id))
            if guest_rsvp is None or guest_rsvp.used_at is not None or guest_rsvp.expires_at <= reader.now:
                return None
            if await email_suppressions.is_suppressed(reader, head.key, guest_rsvp.email):
                return None
            event, now = await by_id(reader, guest_rsvp.event_id), reader.now
        if event is None or event.is_gone or event.is_cancelled:
            return None
        title, when = one_line(event.title), "" if event.starts_at is None else when_label(event, now)
        never = email_suppressions.url_of(head.key, head.public_url, guest_rsvp.email)
        confirm = gettext("Confirm it here")
        page = f"{head.public_url}/answers/confirm/{actions.token_of(head.key, guest_rsvp.id)}"
        saying = _SAYS[guest_rsvp.request.reply].filled(title=title)
        note = gettext("The link works for a day. An answer that isn’t confirmed is deleted.")
        mistyped = gettext(
            "If you didn’t answer on %(site)s, somebody mistyped their address. You don’t need to do anything.",
            site=head.site_name,
        )
        closing = f"{mistyped}\n\n{emails.opt_out_lines(never)}"
        subject = gettext("Confirm your answer: %(title)s", title=title)
        card = EmailCard(gettext("Confirm your answer"), when, [(confirm, page)], note=f"{saying} {note}")
        return OutgoingEmail(
            guest_rsvp.email,
            subject,
            "\n\n".join(["\n".join(filter(None, [saying, when])), emails.link(confirm, page), note, closing]),
            html=event_html(head, event, subject, card, closing),
            unsubscribe_url=never,
            thread=event.id,
        )

    return compose
