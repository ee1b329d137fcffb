"""Composers of all kinds of e-mail. Each e-mail is in its recipient's language."""

from collections.abc import Awaitable, Callable

from groundwork.database.transaction import Database, Reader
from openmeet.domain.attendance.calendar_entries import ANSWERED_MAIL, DECLINED_MAIL
from openmeet.domain.erasure.model import DELETION_MAIL
from openmeet.domain.events import co_host_queries
from openmeet.domain.events.co_host_invitations import CoHostId
from openmeet.domain.events.co_hosts import CO_HOST_MAIL
from openmeet.domain.groups import invitation_queries
from openmeet.domain.groups.model import INVITATION_MAIL, LAST_CALL_MAIL, SUCCESSION_MAIL, InvitationId
from openmeet.domain.guest_rsvps import queries as guest_rsvp_queries
from openmeet.domain.guest_rsvps.queries import GUEST_CONFIRMED_MAIL, GUEST_MAIL, GuestRsvpId
from openmeet.domain.imports import queries as imports
from openmeet.domain.imports.model import PersonId
from openmeet.domain.imports.people import ARRIVAL_MAIL
from openmeet.domain.moderation import reports
from openmeet.domain.moderation.model import ReportId
from openmeet.domain.moderation.reports import REPORT_DECIDED_MAIL, REPORT_RECEIVED_MAIL
from openmeet.domain.notifications.model import DIGEST_MAIL, NOTIFICATION_MAIL, WEEK_MAIL
from openmeet.domain.series.standing_rsvps import SERIES_ANSWERED_MAIL, SERIES_DECLINED_MAIL
from openmeet.domain.sign_in import queries as sign_in
from openmeet.domain.sign_in.actions import EMAIL_CHANGED_MAIL, user_of_change
from openmeet.domain.sign_in.model import CODE_MAIL, ChallengeId
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import language_at, language_of
from openmeet.domain.webhooks.model import OFF_MAIL
from openmeet.emails.account import code_composer, deletion_composer, disabled_composer, email_changed_composer
from openmeet.emails.groups import invitation_composer, succession_composer
from openmeet.emails.invitations import co_host_composer, guest_list_composer
from openmeet.emails.notifications.email import digest_composer, notification_composer
from openmeet.emails.render import EmailContext, with_html
from openmeet.emails.reports import report_composer
from openmeet.emails.rsvp_confirmation import answered_composer, confirmed_composer, declined_composer, guest_composer
from openmeet.emails.series_confirmation import series_composer
from openmeet.emails.week import week_composer
from openmeet.i18n.catalogue import is_known, speaking
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail

# Finds the language of an e-mail's recipient; None if it is unknown.
_LanguageOf = Callable[[Reader, DueEmail], Awaitable[str | None]]


def composers(site: EmailContext) -> dict[str, Composer]:
    """The composer of each kind of e-mail. Each adds the HTML version."""
    key, name, url = site.key, site.site_name, site.public_url
    of_users = {
        NOTIFICATION_MAIL: notification_composer(site),
        DIGEST_MAIL: digest_composer(site),
        WEEK_MAIL: week_composer(site),
        ANSWERED_MAIL: answered_composer(site),
        DECLINED_MAIL: declined_composer(site),
        SERIES_ANSWERED_MAIL: series_composer(site, is_end=False),
        SERIES_DECLINED_MAIL: series_composer(site, is_end=True),
        GUEST_CONFIRMED_MAIL: confirmed_composer(site),
        SUCCESSION_MAIL: succession_composer(name, url),
        LAST_CALL_MAIL: succession_composer(name, url),
        OFF_MAIL: disabled_composer(name, url),
    }
    composer_by_kind = {kind: _in_language(site, _of_user, composer) for kind, composer in of_users.items()}
    composer_by_kind[GUEST_MAIL] = _in_language(site, _of_guest_rsvp, guest_composer(site))
    composer_by_kind[CO_HOST_MAIL] = _in_language(site, _of_co_host, co_host_composer(key, name, url))
    composer_by_kind[INVITATION_MAIL] = _in_language(site, _of_group_invitation, invitation_composer(key, name, url))
    composer_by_kind[ARRIVAL_MAIL] = _in_language(site, _of_imported_person, guest_list_composer(key, name, url))
    # People who are leaving still get sign-in codes, because they have to sign in to cancel the deletion.
    silent = {kind: _unless_leaving(composer) for kind, composer in composer_by_kind.items()}
    return {
        CODE_MAIL: _in_language(site, _of_challenge, code_composer(site)),
        DELETION_MAIL: _in_language(site, _of_user, deletion_composer(name, url)),
        EMAIL_CHANGED_MAIL: _in_language(site, _of_changed, email_changed_composer(name, url)),
        REPORT_RECEIVED_MAIL: _in_language(site, _of_report, report_composer(site, is_decision=False)),
        REPORT_DECIDED_MAIL: _in_language(site, _of_report, report_composer(site, is_decision=True)),
        **silent,
    }


def _unless_leaving(composer: Composer) -> Composer:
    """Wrap a composer so that it composes nothing for people who asked for their account to be deleted."""

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            is_leaving = await erasure_requests.find(reader, UserId(due.person)) is not None
        return None if is_leaving else await composer(db, due)

    return compose


def _in_language(site: EmailContext, language: _LanguageOf, composer: Composer) -> Composer:
    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            tag = await language(reader, due)
        with speaking(tag if tag is not None and is_known(tag) else site.language):
            email = await composer(db, due)
            return None if email is None else with_html(email, site)

    return compose


async def _of_user(reader: Reader, due: DueEmail) -> str | None:
    return await language_of(reader, UserId(due.person))


async def _of_challenge(reader: Reader, due: DueEmail) -> str | None:
    challenge = await sign_in.challenge(reader, ChallengeId(due.subject_id))
    return None if challenge is None else await language_at(reader, challenge.email) or challenge.language


async def _of_changed(reader: Reader, due: DueEmail) -> str | None:
    return await language_of(reader, user_of_change(due.subject_id))


async def _of_report(reader: Reader, due: DueEmail) -> str | None:
    to = await reports.address_of(reader, ReportId(due.subject_id))
    return None if to is None else to.language


async def _of_guest_rsvp(reader: Reader, due: DueEmail) -> str | None:
    guest_rsvp = await guest_rsvp_queries.find(reader, GuestRsvpId(due.subject_id))
    return None if guest_rsvp is None else guest_rsvp.language


async def _of_co_host(reader: Reader, due: DueEmail) -> str | None:
    co_host = await co_host_queries.by_id(reader, CoHostId(due.subject_id))
    if co_host is None:
        return None
    if co_host.user_id is not None:
        return await language_of(reader, co_host.user_id)
    return await _of_address(reader, co_host.email, co_host.invited_by) if co_host.email else None


async def _of_group_invitation(reader: Reader, due: DueEmail) -> str | None:
    invitation = await invitation_queries.invitation(reader, InvitationId(due.subject_id))
    if invitation is None or invitation.email is None:
        return None
    return await _of_address(reader, invitation.email, invitation.invited_by)


async def _of_imported_person(reader: Reader, due: DueEmail) -> str | None:
    person = await imports.person(reader, PersonId(due.subject_id))
    return None if person is None else await _of_address(reader, person.email, person.invited_by)


async def _of_address(reader: Reader, email: str, invited_by: UserId) -> str | None:
    """The language of the person with this address. If they are new here, that of the person who invites them."""
    return await language_at(reader, email) or await language_of(reader, invited_by)
