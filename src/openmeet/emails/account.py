"""E-mails about a person's own account: the sign-in code, another e-mail address, the deletion of the account, and a
webhook that was disabled.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from groundwork.clock import MINUTE
from groundwork.database.transaction import Database
from openmeet.domain.erasure import actions
from openmeet.domain.sign_in import model
from openmeet.domain.sign_in import queries as sign_in_queries
from openmeet.domain.sign_in.actions import user_of_change
from openmeet.domain.sign_in.model import ChallengeId
from openmeet.domain.users import erasure_requests
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks import queries as webhook_queries
from openmeet.domain.webhooks.model import WebhookId
from openmeet.emails.render import EmailContext, render_html, text_link, with_closing
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.i18n.formatting import long_date
from openmeet.i18n.reasons.messages import explain
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail

LINK_PATH = "/sign-in/link"
# A person may have thousands of records. The page where they can still be deleted lists all of them.
MAX_LISTED: Final = 50


def code_composer(site: EmailContext) -> Composer:
    """Composer of ``CODE_MAIL``. Composes nothing if the code was used or has expired. Programs get no link."""

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            challenge = await sign_in_queries.challenge(reader, ChallengeId(due.subject_id))
            if challenge is None or challenge.used_at is not None or challenge.expires_at <= reader.now:
                return None
        code = model.spaced(model.code_of(site.key, challenge.id))
        minutes = (challenge.expires_at - challenge.created_at) // MINUTE
        instructions = ngettext(
            "Enter it on the %(site)s page where you asked for it. It works once, for %(number)s minute.",
            "Enter it on the %(site)s page where you asked for it. It works once, for %(number)s minutes.",
            minutes,
            site=site.site_name,
        )
        link_words, link_url = gettext("Or open this link in the same browser"), ""
        if challenge.browser_hash is not None:
            link_url = f"{site.public_url}{LINK_PATH}/{model.link_token(site.key, challenge.id)}"
        reason = gettext(
            "You’re getting this because somebody entered your address on %(site)s. If it wasn’t you, you don’t need to do"
            " anything. Never pass the code on.",
            site=site.site_name,
        )
        subject = gettext("Your code: %(code)s", code=code)
        shown = {
            "code": code,
            "heading": gettext("Your code"),
            "instructions": instructions,
            "link_words": link_words,
            "link_url": link_url,
            "reason": reason,
        }
        parts = [code, instructions, *([text_link(link_words, link_url)] if link_url else [])]
        return OutgoingEmail(
            challenge.email,
            subject,
            with_closing("\n\n".join(parts), reason),
            html=render_html("code.html", site, subject, shown),
        )

    return compose


def email_changed_composer(site_name: str, public_url: str) -> Composer:
    """Composer of ``EMAIL_CHANGED_MAIL``, to the address that a person no longer signs in with. Composes nothing if they
    have returned to it or deleted their account.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            person = await user_queries.by_id(reader, user_of_change(due.subject_id))
        if person is None or person.email in {None, due.person}:
            return None
        parts = [
            gettext(
                "You now sign in to %(site)s with %(email)s. We no longer send anything to this address.",
                site=site_name,
                email=person.email,
            ),
            text_link(
                gettext("If it wasn’t you, somebody else is using your account. Write to the people who run this site"),
                f"{public_url}/help",
            ),
        ]
        subject = gettext("Your e-mail address at %(site)s was changed", site=site_name)
        return OutgoingEmail(due.person, subject, "\n\n".join(parts) + "\n")

    return compose


def deletion_composer(site_name: str, public_url: str) -> Composer:
    """Composer of ``DELETION_MAIL``, the last e-mail before an account is deleted. It says how long the deletion can be
    cancelled, and which records the owner has to delete.

    Composes nothing if the person signed in and keeps the account, or has no address.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            deletion_request = await erasure_requests.find(reader, UserId(due.person))
            person = await user_queries.by_id(reader, UserId(due.person))
            undeleted = await actions.undeleted_records(reader, UserId(due.person))
        if (
            deletion_request is None
            or str(deletion_request.requested_at) != due.subject_id
            or person is None
            or person.email is None
        ):
            return None
        date = long_date(deletion_request.due_at)
        parts = [
            gettext(
                "You asked us to delete your account at %(site)s. That happens on %(date)s.", site=site_name, date=date
            ),
            text_link(gettext("To keep it, sign in before then"), f"{public_url}/sign-in"),
        ]
        if undeleted:
            parts.append(_records(undeleted))
        subject = gettext("Your account at %(site)s is deleted on %(date)s", site=site_name, date=date)
        return OutgoingEmail(person.email, subject, "\n\n".join(parts) + "\n")

    return compose


def _records(undeleted: Sequence[str]) -> str:
    """The records that are still on the person's account server, and how the person can delete them."""
    heading = ngettext(
        "Your account server still has this copy from this site. Until your account is deleted here, we keep "
        "trying to delete the copy. After that, only you can: open its address in an app that shows what’s in your "
        "account, and delete it there.",
        "Your account server still has these copies from this site. Until your account is deleted here, we keep "
        "trying to delete them. After that, only you can: open their addresses in an app that shows what’s in your "
        "account, and delete them there.",
        len(undeleted),
    )
    more = len(undeleted) - MAX_LISTED
    rest = [ngettext("And %(count)s more.", "And %(count)s more.", more, count=more)] if more > 0 else []
    return "\n".join([heading, "", *undeleted[:MAX_LISTED], *rest])


def disabled_composer(site_name: str, public_url: str) -> Composer:
    """Composer of ``OFF_MAIL``, to the owner of a webhook that was disabled. Composes nothing if the webhook was enabled
    again or deleted, or if its owner has no address.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            webhook = await webhook_queries.by_id(reader, WebhookId(due.subject_id))
            owner = await user_queries.by_id(reader, UserId(due.person))
        if webhook is None or webhook.is_on or owner is None or owner.email is None:
            return None
        host = urlsplit(webhook.url).hostname or gettext("the address")
        parts = [
            gettext(
                "%(site)s couldn’t reach %(host)s for a while and has turned your webhook off. The last answer "
                "was: %(reason)s",
                site=site_name,
                host=host,
                reason=explain(webhook.off_why),
            ),
            text_link(
                gettext(
                    "Once it works again, turn the webhook on. You can resend missed messages from the list of deliveries"
                ),
                f"{public_url}/settings/webhooks",
            ),
        ]
        subject = gettext("%(site)s no longer sends to %(host)s", site=site_name, host=host)
        return OutgoingEmail(owner.email, subject, "\n\n".join(parts) + "\n")

    return compose
