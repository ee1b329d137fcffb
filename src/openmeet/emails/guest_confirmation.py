"""E-mail with the link that confirms a guest's RSVP."""

from groundwork.database.transaction import Database
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.queries import by_id
from openmeet.domain.guest_rsvps import actions, queries
from openmeet.domain.guest_rsvps.queries import GuestAnswerId
from openmeet.i18n import formatting
from openmeet.i18n.markdown import one_line
from openmeet.outbox import emails
from openmeet.outbox.emails import Composer, Due, OutgoingEmail
from openmeet.recurrence import wall_time

_SAYS = {
    RsvpReply.GOING: "You said that you are going to",
    RsvpReply.INTERESTED: "You said that you are interested in",
    RsvpReply.DECLINED: "You said that you are not going to",
}


def guest_composer(key: SigningKey, site_name: str, public_url: str) -> Composer:
    """Composer of ``GUEST_MAIL``; nothing when the RSVP was confirmed or has expired, its event is gone, or after an
    opt-out.
    """

    async def compose(db: Database, due: Due) -> OutgoingEmail | None:
        async with db.reader() as reader:
            asked = await queries.find(reader, GuestAnswerId(due.subject_id))
            if asked is None or asked.used_at is not None or asked.expires_at <= reader.now:
                return None
            if await emails.is_left_alone(reader, emails.hash_of(asked.email)):
                return None
            event = await by_id(reader, asked.event_id)
        if event is None or event.is_gone or event.is_cancelled:
            return None
        title = one_line(event.title)
        never = emails.url_of(key, public_url, asked.email)
        when = ""
        if event.starts_at is not None:
            local = wall_time.local_of(event.starts_at, event.time_zone)
            when = f"\n{formatting.span(local, None)}, {formatting.zone_words(local, event.time_zone)}"
        return OutgoingEmail(
            asked.email,
            f"Confirm your answer: {title}",
            f"{_SAYS[asked.saying.reply]} {title}.{when}\n\n"
            f"Confirm it here:\n{public_url}/answers/confirm/{actions.token_of(key, asked.id)}\n\n"
            "The link works for a day. Nothing is kept of an answer that is not confirmed.\n\n"
            f"If it was not you who answered on {site_name}, somebody mistyped their address: there is nothing you need"
            f" to do.\n\n{emails.closing(never)}",
            unsubscribe_url=never,
        )

    return compose
