"""E-mail to the owner of a webhook that was disabled."""

from urllib.parse import urlsplit

from groundwork.database.transaction import Database
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id
from openmeet.domain.webhooks import queries
from openmeet.domain.webhooks.model import WebhookId
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.reasons.messages import explain
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail, link


def disabled_composer(site_name: str, public_url: str) -> Composer:
    """Composer of ``OFF_MAIL``. Composes nothing if the webhook was enabled again or deleted, or if its owner has no
    address.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            webhook = await queries.by_id(reader, WebhookId(due.subject_id))
            owner = await by_id(reader, UserId(due.person))
        if webhook is None or webhook.is_on or owner is None or owner.email is None:
            return None
        host = urlsplit(webhook.url).hostname or gettext("the address")
        parts = [
            gettext(
                "%(site)s couldn’t reach %(host)s for a while and has switched your webhook off. The last answer was: %(reason)s",
                site=site_name,
                host=host,
                reason=explain(webhook.off_why),
            ),
            link(
                gettext(
                    "Once it works again, switch the webhook on. You can resend missed messages from the list of deliveries"
                ),
                f"{public_url}/settings/webhooks",
            ),
        ]
        subject = gettext("%(site)s no longer sends to %(host)s", site=site_name, host=host)
        return OutgoingEmail(owner.email, subject, "\n\n".join(parts) + "\n")

    return compose
