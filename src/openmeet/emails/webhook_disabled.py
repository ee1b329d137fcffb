"""E-mail that says that a webhook was disabled."""

from urllib.parse import urlsplit

from groundwork.database.transaction import Database
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id
from openmeet.domain.webhooks import queries
from openmeet.domain.webhooks.model import WebhookId
from openmeet.outbox.emails import Composer, Due, OutgoingEmail


def off_composer(site_name: str, public_url: str) -> Composer:
    """Composer of ``OFF_MAIL``; nothing when the webhook is enabled again or deleted, or its owner has no address."""

    async def compose(db: Database, due: Due) -> OutgoingEmail | None:
        async with db.reader() as reader:
            webhook = await queries.by_id(reader, WebhookId(due.subject_id))
            owner = await by_id(reader, UserId(due.person))
        if webhook is None or webhook.is_on or owner is None or owner.email is None:
            return None
        host = urlsplit(webhook.url).hostname or "the address"
        return OutgoingEmail(
            owner.email,
            f"{site_name} tells {host} no more",
            f"{site_name} could not reach {host} for a while and has switched your webhook off. The last thing it heard:"
            f" {webhook.off_why}\n\n"
            f"When it works again, switch the webhook on; what was missed can be sent again from its list:\n"
            f"{public_url}/settings/webhooks\n",
        )

    return compose
