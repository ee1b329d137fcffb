"""Scheduled resealing of the platform's database with the newest sealing key.

A value whose key is gone is skipped. If it belongs to a session, the person has to sign in again; if it belongs to a
webhook, the webhook reports the problem.
"""

from groundwork.database.resealing import SealedColumn, reseal
from groundwork.sealing import Sealer
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance import proof_keys
from openmeet.domain.calendars.fetch import SEAL_PURPOSE
from openmeet.domain.chat import messages
from openmeet.domain.chat.model import ChatMessageId
from openmeet.domain.webhooks import actions as webhooks
from openmeet.domain.webhooks.model import WebhookId
from openmeet.network.repositories import oauth_client_keys, recovery_keys, session_sealing
from openmeet.outbox import address_keys
from programs.platform import Platform


def sealed_columns(tenant: str) -> tuple[SealedColumn, ...]:
    """Columns that are sealed with the keys of the installation. A test looks for others in the schema."""
    return (
        SealedColumn("repository_sessions", "did", "sealed", lambda did: session_sealing.purpose_of(tenant, did)),
        SealedColumn("custodial_accounts", "email", "sealed_password", session_sealing.password_purpose_of),
        SealedColumn("recovery_keys", "public_key", "sealed", recovery_keys.purpose_of),
        SealedColumn(
            "oauth_client_keys", "key_id", "sealed", lambda key_id: oauth_client_keys.purpose_of(tenant, key_id)
        ),
        SealedColumn("webhooks", "id", "sealed_secret", lambda webhook_id: webhooks.purpose(WebhookId(webhook_id))),
        SealedColumn("subscribed_calendars", "id", "url_sealed", lambda _calendar_id: SEAL_PURPOSE),
    )


def columns_of_code_key(key: SigningKey) -> tuple[tuple[Sealer, SealedColumn], ...]:
    """Sealed columns whose keys are derived from the key of a community's links."""
    return (
        (address_keys.sealer_of(key), address_keys.SEALED_KEY),
        (proof_keys.sealer_of(key), proof_keys.SEALED_KEY),
        (
            messages.removal_sealer(key),
            SealedColumn(
                "chat_removed", "message_id", "body_sealed", lambda message: messages.purpose_of(ChatMessageId(message))
            ),
        ),
    )


async def reseal_stale(platform: Platform) -> int:
    """Reseal values that have an older key. Returns how many there were."""
    network = platform.network
    _, stale = await reseal(platform.db, network.sealer, sealed_columns(network.tenant), passes_over_lost=True)
    for sealer, column in columns_of_code_key(platform.code_key):
        _, more = await reseal(platform.db, sealer, [column], passes_over_lost=True)
        stale += more
    return stale
