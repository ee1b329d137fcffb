"""E-mails that invite somebody: to co-host an event, or, if they are on an imported guest list, to an event or group."""

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database
from groundwork.errors import NotFound, Unavailable
from groundwork.signing_key import SigningKey
from openmeet.domain.events import co_host_queries, co_hosts, time_and_place
from openmeet.domain.events.co_host_invitations import CoHostId, token_of
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id
from openmeet.domain.groups.model import Group
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.imports import people
from openmeet.domain.imports.model import ContactStage, ImportReason, PersonId
from openmeet.domain.moderation.blocks import is_block_between, is_block_between_address
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import unnamed
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.emails.notifications.texts import short_day_label, when_label
from openmeet.emails.render import opt_out_lines, subject_line, text_link, with_closing
from openmeet.i18n.catalogue import gettext
from openmeet.outbox import email_suppressions
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail

# How long an invitation waits before it is checked again whether people can open the event.
_SHOWN_AGAIN_SECONDS = 600.0
# An invitation that has waited this long is dropped. An event without a start would otherwise be checked for ever.
_SHOWN_WITHIN = 14 * DAY


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
            text_link(gettext("View and answer"), f"{public_url}/co-hosting/{token_of(key, co_host.id)}"),
            gettext("You’re not a host until you say yes. If you do nothing, we won’t write again."),
        ]
        text = with_closing("\n\n".join(parts), opt_out_lines(never))
        subject = subject_line(co_hosts.invitation_label(name), title, short_day_label(event))
        return OutgoingEmail(address, subject, text, unsubscribe_url=never, thread=event.id)

    return compose


def guest_list_composer(key: SigningKey, site_name: str, public_url: str) -> Composer:
    """Composer of ``ARRIVAL_MAIL``, the only e-mail that a person on an imported guest list gets.

    Composes nothing if the event or group is no longer available, if the person has already responded (to this list, to
    an earlier list, or to another invitation of the same group), or if they are not to be invited any more
    (``people.is_still_to_be_invited``). While nobody could open the event, for example because a moderator has to look
    at it first, the e-mail waits for up to ``_SHOWN_WITHIN``: the composer raises Unavailable.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        person_id = PersonId(due.subject_id)
        async with db.reader() as reader:
            try:
                person, event, group = await people.find_invitation(reader, person_id)
            except NotFound:
                return None
            if not await people.is_still_to_be_invited(reader, person, event, group):
                return None
            host = await user_by_id(reader, person.invited_by)
            if await email_suppressions.is_suppressed(reader, key, person.email):
                return None
            if await email_suppressions.declined_among(reader, key, person.target, [person.email]):
                return None
            now = reader.now
            is_leaving = await erasure_requests.find(reader, person.invited_by) is not None
        if person.stage is not ContactStage.INVITED or host is None or is_leaving:
            return None
        if event is not None and (event.is_hidden or event.is_held):
            if now - (person.invited_at or now) >= _SHOWN_WITHIN:
                return None
            raise Unavailable(ImportReason.TARGET_NOT_SHOWN, after_seconds=_SHOWN_AGAIN_SECONDS)
        token = people.token_of(key, person_id)
        return OutgoingEmail(
            person.email,
            guest_list_subject(host.display_name, event, group),
            with_closing(
                guest_list_text(
                    host.display_name, event, group, person.message, site_name, f"{public_url}/arrivals/{token}", now
                ),
                opt_out_lines(email_suppressions.url_of(key, public_url, person.email)),
            ),
            # Declining also opts out of all further e-mails of this kind.
            unsubscribe_url=f"{public_url}/mail/decline/list/{token}",
            thread=person.target,
        )

    return compose


def guest_list_subject(host: str, event: Event | None, group: Group | None) -> str:
    """The subject of the e-mail."""
    fact = gettext("%(name)s invites you", name=host or unnamed())
    return subject_line(fact, _title_of(event, group), "" if event is None else short_day_label(event))


def guest_list_text(
    host: str, event: Event | None, group: Group | None, message: str, site_name: str, link: str, now: Instant
) -> str:
    """The text that the host previewed, with this person's link and an opt-out line below it."""
    when = "" if event is None or event.starts_at is None else f"{when_label(event, now)}\n"
    message_block = f"\n{message}\n" if message else ""
    name, title = host or unnamed(), _title_of(event, group)
    if group is not None and event is None:
        invites = gettext(
            "%(name)s invites you to the group %(group)s on %(site)s.", name=name, group=title, site=site_name
        )
    else:
        invites = gettext("%(name)s invites you to %(title)s on %(site)s.", name=name, title=title, site=site_name)
    about = gettext(
        "Your address was on a list from %(name)s. This is the only e-mail about it. You’re not "
        "on any list here until you say yes. If you do nothing, we won’t write again.",
        name=name,
    )
    answer = text_link(gettext("View and answer"), link)
    return f"{invites}\n{when}{message_block}\n{answer}\n\n{about}\n"


def _title_of(event: Event | None, group: Group | None) -> str:
    return event.title if event is not None else group.details.name if group is not None else ""
