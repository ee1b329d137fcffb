"""Register and change webhooks, and enqueue deliveries."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from groundwork.clock import Instant
from groundwork.database.pages import change_in_pages
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import NotFound, Refused
from groundwork.outbox.jobs import enqueue, enqueue_many
from groundwork.sealing import Sealer
from groundwork.uuid7 import new_id
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.webhooks import model, queries
from openmeet.domain.webhooks.model import (
    KEPT,
    MAX_WEBHOOKS,
    DeliveryId,
    Webhook,
    WebhookDelivery,
    WebhookEvent,
    WebhookId,
    WebhookReason,
)
from openmeet.outbox.kinds import JobKind


def purpose(webhook_id: WebhookId) -> str:
    """The purpose under which a webhook's secret is sealed."""
    return f"openmeet/webhooks/secret/{webhook_id}"


@dataclass(frozen=True, slots=True)
class ChangedSubject:
    """A changed subject, the users whom the change concerns, and the group that the subject belongs to."""

    subject_id: str
    people: tuple[UserId, ...]
    group_id: str | None = None


async def enqueue_deliveries(tx: Transaction, kind: WebhookEvent, subjects: Sequence[ChangedSubject]) -> None:
    """Enqueue a delivery to every webhook of these users and groups. The content is decided when the delivery is sent."""
    people = {user_id for one in subjects for user_id in one.people}
    groups = {one.group_id for one in subjects if one.group_id is not None}
    addresses = await queries.subscribed_webhooks(tx, kind, people, groups)
    rows = [
        (DeliveryId(new_id(tx.now)), webhook_id, one.subject_id)
        for one in subjects
        for webhook_id, user_id, group_id in addresses
        if (user_id in one.people if group_id is None else group_id == one.group_id)
    ]
    if rows:
        await queries.insert_deliveries(tx, kind, rows)
        await enqueue_many(
            tx,
            JobKind.WEBHOOK,
            [(delivery_id, 1, tx.now) for delivery_id, _, _ in rows],
            partitions={delivery_id: webhook_id for delivery_id, webhook_id, _ in rows},
        )


async def register(
    tx: Transaction,
    caller: Caller,
    sealer: Sealer,
    *,
    url: str,
    kinds: Collection[WebhookEvent],
    group_id: str | None,
) -> tuple[Webhook, str]:
    """Register a webhook that ``model`` has checked. The secret is returned only here. Raises Refused (too many).

    ``group_id``: the group of a group's webhook. The caller must have checked the user's role in it.
    """
    # Requests at the same time would all see the same number.
    await user_queries.lock(tx, caller.user_id)
    webhooks = await queries.of_user(tx, caller.user_id)
    if len(webhooks) >= MAX_WEBHOOKS:
        raise Refused(WebhookReason.TOO_MANY_WEBHOOKS, most=MAX_WEBHOOKS, name="TooManyWebhooks")
    secret = secrets.token_bytes(model.SECRET_BYTES)
    webhook_id = WebhookId(new_id(tx.now))
    made = Webhook(
        webhook_id,
        caller.user_id,
        group_id,
        url,
        frozenset(kinds),
        sealer.seal(secret, purpose(webhook_id)),
        None,
        None,
        1,
        tx.now,
    )
    await queries.insert(tx, made)
    return made, model.secret_text(secret)


async def own(reader: Reader, caller: Caller, webhook_id: WebhookId) -> Webhook:
    """Return the caller's webhook. Raises NotFound, also for a webhook of somebody else."""
    webhook = await queries.by_id(reader, webhook_id)
    if webhook is None or webhook.user_id != caller.user_id:
        raise NotFound(WebhookReason.NO_SUCH_WEBHOOK)
    return webhook


async def lock_own(tx: Transaction, caller: Caller, webhook_id: WebhookId) -> Webhook:
    """Lock a webhook of the caller until the transaction ends. Raises the same errors as ``own``."""
    await own(tx, caller, webhook_id)
    return await queries.lock(tx, webhook_id) or await own(tx, caller, webhook_id)


async def change(
    tx: Transaction, webhook: Webhook, *, url: str, kinds: Collection[WebhookEvent], is_on: bool
) -> Webhook:
    """Change a locked webhook. Turning it on resets its failures."""
    off_why = None if is_on else webhook.off_why or WebhookReason.SWITCHED_OFF_BY_OWNER()
    await queries.change(tx, webhook.id, url=url, kinds=kinds, off_why=off_why)
    return replace(
        webhook,
        url=url,
        kinds=frozenset(kinds),
        off_why=off_why,
        failing_since=None,
        revision=webhook.revision + 1,
    )


async def renew_secret(tx: Transaction, sealer: Sealer, webhook: Webhook) -> tuple[Webhook, str]:
    """Replace the secret of a locked webhook. The new one is returned only here, and also signs deliveries that are
    waiting.
    """
    secret = secrets.token_bytes(model.SECRET_BYTES)
    sealed = sealer.seal(secret, purpose(webhook.id))
    await queries.put_secret(tx, webhook.id, sealed)
    return replace(webhook, sealed_secret=sealed, revision=webhook.revision + 1), model.secret_text(secret)


async def remove(tx: Transaction, webhook: Webhook) -> None:
    await queries.delete(tx, webhook.id)


async def ping(tx: Transaction, webhook: Webhook) -> WebhookDelivery:
    """Enqueue a test delivery without content. Raises Refused (the webhook is off)."""
    if not webhook.is_on:
        raise Refused(WebhookReason.OFF, name="WebhookOff")
    delivery_id = DeliveryId(new_id(tx.now))
    await queries.insert_deliveries(tx, WebhookEvent.PING, [(delivery_id, webhook.id, delivery_id)])
    await enqueue(tx, JobKind.WEBHOOK, delivery_id, partition=webhook.id)
    return await _delivery(tx, webhook, delivery_id)


async def send_again(tx: Transaction, webhook: Webhook, delivery_id: DeliveryId) -> WebhookDelivery:
    """Send a completed delivery again, whatever its result. It shows the subject's state at the time of sending."""
    delivery = await _delivery(tx, webhook, delivery_id)
    if not webhook.is_on:
        raise Refused(WebhookReason.OFF, name="WebhookOff")
    again = await queries.send_again(tx, delivery.id)
    if again is None:
        raise Refused(WebhookReason.STILL_WAITING, name="StillWaiting")
    await enqueue(tx, JobKind.WEBHOOK, again.id, again.revision, partition=webhook.id)
    return again


async def _delivery(reader: Reader, webhook: Webhook, delivery_id: DeliveryId) -> WebhookDelivery:
    delivery = await queries.delivery(reader, delivery_id)
    if delivery is None or delivery.webhook_id != webhook.id:
        raise NotFound(WebhookReason.NO_SUCH_DELIVERY)
    return delivery


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Move the webhooks of a merged account to the remaining account."""
    await queries.reassign(tx, from_user, to_user)


async def forget_old_deliveries(db: Database) -> int:
    """Delete deliveries that were completed a month ago or earlier."""
    return await change_in_pages(db, lambda tx: queries.forget(tx, Instant(tx.now - KEPT)))
