"""E-mail with the link that confirms a guest's RSVP."""

from groundwork.database.transaction import Database
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.queries import by_id
from openmeet.domain.guest_rsvps import actions, queries
from openmeet.domain.guest_rsvps.queries import GuestAnswerId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.i18n.markdown import one_line
from openmeet.outbox import email_suppressions, emails
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail
from openmeet.recurrence import wall_time

_SAYS = {
    RsvpReply.GOING: lazy("You said that you’re going to %(title)s."),
    RsvpReply.INTERESTED: lazy("You said that you’re interested in %(title)s."),
    RsvpReply.DECLINED: lazy("You said that you’re not going to %(title)s."),
}


def guest_composer(key: SigningKey, site_name: str, public_url: str) -> Composer:
    """Composer of ``GUEST_MAIL``; nothing when the RSVP was confirmed or has expired, its event is gone, or after an
    opt-out.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            asked = await queries.find(reader, GuestAnswerId(due.subject_id))
            if asked is None or asked.used_at is not None or asked.expires_at <= reader.now:
                return None
            if await email_suppressions.is_suppressed(reader, key, asked.email):
                return None
            event = await by_id(reader, asked.event_id)
        if event is None or event.is_gone or event.is_cancelled:
            return None
        title = one_line(event.title)
        never = email_suppressions.url_of(key, public_url, asked.email)
        when = ""
        if event.starts_at is not None:
            local = wall_time.local_of(event.starts_at, event.time_zone)
            when = f"\n{formatting.span(local, None)}, {formatting.zone_label(local, event.time_zone)}"
        page = f"{public_url}/answers/confirm/{actions.token_of(key, asked.id)}"
        parts = [
            _SAYS[asked.saying.reply].filled(title=title) + when,
            emails.link(gettext("Confirm it here"), page),
            gettext("The link works for a day. An answer that isn’t confirmed is deleted."),
            gettext(
                "If you didn’t answer on %(site)s, somebody mistyped their address. You don’t need to do anything.",
                site=site_name,
            ),
            emails.opt_out_lines(never),
        ]
        return OutgoingEmail(
            asked.email,
            gettext("Confirm your answer: %(title)s", title=title),
            "\n\n".join(parts),
            unsubscribe_url=never,
        )

    return compose
