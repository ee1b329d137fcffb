"""The one e-mail to a person on an imported guest list, with the text that the host has previewed."""

from groundwork.database.transaction import Database
from groundwork.errors import NotFound
from groundwork.signing_key import SigningKey
from openmeet.domain.events.model import Event
from openmeet.domain.groups.model import Group
from openmeet.domain.imports.model import ContactStage, PersonId
from openmeet.domain.imports.people import shown, token_of
from openmeet.domain.users.model import UNNAMED
from openmeet.domain.users.queries import by_id
from openmeet.i18n import formatting
from openmeet.outbox import emails
from openmeet.outbox.emails import Composer, Due, OutgoingEmail
from openmeet.recurrence.wall_time import local_of


def invitation_composer(key: SigningKey, site_name: str, public_url: str) -> Composer:
    """Composer of ``ARRIVAL_MAIL``; nothing for a person who has responded, or when there is nothing left to attend."""

    async def compose(db: Database, due: Due) -> OutgoingEmail | None:
        person_id = PersonId(due.subject_id)
        async with db.reader() as reader:
            try:
                person, event, group = await shown(reader, person_id)
            except NotFound:
                return None
            host = await by_id(reader, person.invited_by)
            if await emails.is_left_alone(reader, emails.hash_of(person.email)):
                return None
        if person.stage is not ContactStage.INVITED or host is None:
            return None
        token = token_of(key, person_id)
        return OutgoingEmail(
            person.email,
            subject_of(host.display_name, event, group),
            text_of(host.display_name, event, group, person.message, site_name, f"{public_url}/arrivals/{token}")
            + "\n"
            + emails.closing(emails.url_of(key, public_url, person.email)),
            # Declining opts out of every further e-mail of that kind.
            unsubscribe_url=f"{public_url}/mail/decline/list/{token}",
        )

    return compose


def subject_of(host: str, event: Event | None, group: Group | None) -> str:
    """The subject of the e-mail."""
    return f"{host or UNNAMED} invites you to {title_of(event, group)}"


def text_of(host: str, event: Event | None, group: Group | None, message: str, site_name: str, link: str) -> str:
    """The text as previewed by its host, with another link, and the opt-out below."""
    when = ""
    if event is not None and event.starts_at is not None:
        when = f"{formatting.span(local_of(event.starts_at, event.time_zone), None)} ({event.time_zone})\n"
    said = f"\n{message}\n" if message else ""
    kind = "the group " if group is not None else ""
    return (
        f"{host or UNNAMED} invites you to {kind}{title_of(event, group)} on {site_name}.\n{when}{said}\n"
        f"Look at it, and say yes or no:\n{link}\n\n"
        f"Your address was on a list that {host or UNNAMED} brought along. This is the only letter: you are on no list of guests or"
        " members before you say yes, and if you do nothing, you hear nothing more of this.\n"
    )


def title_of(event: Event | None, group: Group | None) -> str:
    return event.title if event is not None else group.details.name if group is not None else ""
