"""Deliver webhooks: read what the owner may see of the subject now, sign it, send it and note the result.

The request is made between two short transactions (style, section 3). Changes to the subject after the first
transaction make another delivery.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from groundwork.clock import SECOND
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Explanation, Failure, RemoteFailed, reason_of
from groundwork.http.client import HttpClient
from groundwork.outbox.delivery import JobDelivery, one_job_per_call
from groundwork.outbox.jobs import Job
from groundwork.outbox.retry import RetryPolicy
from groundwork.sealing import Sealer
from groundwork.telemetry.logs import log
from openmeet.domain.webhooks import model, queries
from openmeet.domain.webhooks.actions import purpose
from openmeet.domain.webhooks.model import (
    FAILS_FOR,
    MAX_TRIES,
    OFF_MAIL,
    TRIED_FOR,
    DeliveryId,
    DeliveryState,
    Webhook,
    WebhookDelivery,
    WebhookEvent,
    WebhookReason,
)
from openmeet.i18n.formatting import iso
from openmeet.outbox.emails import enqueue_email

# Five seconds, ten, twenty … six hours: sixteen tries take about a day.
RETRY: Final = RetryPolicy(first_seconds=5.0, longest_seconds=6 * 3600.0)

_WEBHOOKS_AT_ONCE = 50
_GONE = 410
_MAX_RESPONSE_BYTES = 64 * 1024

# Returns what the owner may see of a delivery's subject, as JSON values. None if nothing.
View = Callable[[Reader, Webhook, WebhookDelivery], Awaitable[Mapping[str, Any] | None]]


def webhook_delivery(db: Database, http: HttpClient, sealer: Sealer, view: View) -> JobDelivery:
    """Return the delivery of ``JobKind.WEBHOOK``. A job's subject is a webhook delivery, and each webhook is a partition,
    so that a slow server delays no other webhook.
    """

    async def handle(job: Job) -> None:
        async with db.transaction() as tx:
            delivery = await queries.begin_attempt(tx, DeliveryId(job.subject))
            webhook = await queries.by_id(tx, delivery.webhook_id) if delivery else None
        if delivery is None or webhook is None:
            return
        if not webhook.is_on:
            await _close(db, delivery, DeliveryState.DROPPED, None, WebhookReason.DROPPED_WHILE_OFF())
            return
        async with db.reader() as reader:
            shown = {} if delivery.kind is WebhookEvent.PING else await view(reader, webhook, delivery)
            now = reader.now
        if shown is None:
            await _close(db, delivery, DeliveryState.DROPPED, None, WebhookReason.NOTHING_TO_SEE())
            return
        body = msgspec.json.encode({"type": delivery.kind.value, "timestamp": iso(delivery.created_at), "data": shown})
        timestamp = now // SECOND
        secret = sealer.unseal(webhook.sealed_secret, purpose(webhook.id))
        try:
            response = await http.request(
                "POST",
                webhook.url,
                headers={
                    "content-type": "application/json",
                    "webhook-id": delivery.id,
                    "webhook-timestamp": str(timestamp),
                    "webhook-signature": model.signature(secret, delivery.id, timestamp, body),
                },
                body=body,
                max_bytes=_MAX_RESPONSE_BYTES,
            )
        except Failure as failure:
            await _failed(db, webhook, delivery, None, reason_of(failure))
            return
        if response.is_ok:
            async with db.transaction() as tx:
                await queries.note_arrival(tx, webhook.id)
                await queries.end_attempt(tx, delivery.id, DeliveryState.ARRIVED, status=response.status, why=None)
        else:
            await _failed(
                db, webhook, delivery, response.status, WebhookReason.ANSWERED_WITH_STATUS(status=str(response.status))
            )

    return one_job_per_call(handle, partitions_at_once=_WEBHOOKS_AT_ONCE, retry=RETRY)


async def _failed(
    db: Database, webhook: Webhook, delivery: WebhookDelivery, status: int | None, why: Explanation
) -> None:
    """Note the failure. Raises RemoteFailed if the request should be retried."""
    async with db.transaction() as tx:
        since = await queries.note_failing(tx, webhook.id)
        # The previous failure may have been weeks ago. The server may be unreachable only now, and only for a moment.
        is_tried = tx.now - delivery.created_at >= TRIED_FOR
        goes_off = status == _GONE or (is_tried and tx.now - since >= FAILS_FOR)
        is_last = goes_off or delivery.tries >= MAX_TRIES
        state = DeliveryState.FAILED if is_last else DeliveryState.WAITING
        await queries.end_attempt(tx, delivery.id, state, status=status, why=why)
        if goes_off:
            await _switch_off(tx, webhook, why)
    if not is_last:
        raise RemoteFailed(why, status=status)


async def _switch_off(tx: Transaction, webhook: Webhook, why: Explanation) -> None:
    if await queries.switch_off(tx, webhook.id, why):
        log.warning("webhook.switched_off", webhook=webhook.id)
        await enqueue_email(
            tx, kind=OFF_MAIL, person=webhook.user_id, subject_id=webhook.id, revision=webhook.revision + 1
        )


async def _close(
    db: Database, delivery: WebhookDelivery, state: DeliveryState, status: int | None, why: Explanation
) -> None:
    async with db.transaction() as tx:
        await queries.end_attempt(tx, delivery.id, state, status=status, why=why)
