"""E-mail that invites somebody to co-host an event."""

from groundwork.database.transaction import Database
from groundwork.signing_key import SigningKey
from openmeet.domain.events import co_host_queries, time_and_place
from openmeet.domain.events.model import EventId
from openmeet.domain.events.permissions import CoHostId, token_of
from openmeet.domain.events.queries import by_id
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation.blocks import is_block_between, is_block_between_address
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.emails.notifications.texts import short_day_label
from openmeet.emails.render import subject_line
from openmeet.i18n.catalogue import gettext
from openmeet.outbox import email_suppressions, emails
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail


def co_host_composer(key: SigningKey, site_name: str, public_url: str) -> Composer:
    """Composer of ``CO_HOST_MAIL``.

    Composes nothing if the invitation was answered, was revoked or has expired, if either person has blocked the other,
    or if the recipient has opted out.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            co_host = await co_host_queries.by_id(reader, CoHostId(due.subject_id))
            if co_host is None or not co_host.is_open(reader.now):
                return None
            event, now = await by_id(reader, EventId(co_host.event_id)), reader.now
            names = await shown_names(reader, [co_host.invited_by])
            if await is_block_between_address(reader, co_host.invited_by, co_host.email or ""):
                return None
            if co_host.user_id is not None and await is_block_between(reader, co_host.invited_by, co_host.user_id):
                return None
            invited = None if co_host.user_id is None else await user_by_id(reader, co_host.user_id)
            address = co_host.email or (invited and invited.email)
            if address and await email_suppressions.is_suppressed(reader, key, address):
                return None
        if event is None or event.is_gone or not address:
            return None
        never = email_suppressions.url_of(key, public_url, address)
        name = " ".join(names[co_host.invited_by].split())
        title = event.title or gettext("an event")
        about = [title, time_and_place.start_label(event, now)]
        if co_host.is_for_series or co_host.is_asked_for_series:
            about.append(gettext("This applies to every upcoming date of the series, including dates added later."))
        parts = [
            gettext("%(name)s asks you to co-host an event on %(site)s:", name=name, site=site_name),
            "\n".join(about),
            emails.link(gettext("View and answer"), f"{public_url}/co-hosting/{token_of(key, co_host.id)}"),
            gettext("You’re not a host until you say yes. If you do nothing, we won’t write again."),
            emails.opt_out_lines(never),
        ]
        fact = gettext("%(name)s asks you to co-host", name=name)
        subject = subject_line(fact, title, short_day_label(event))
        return OutgoingEmail(address, subject, "\n\n".join(parts), unsubscribe_url=never, thread=event.id)

    return compose
