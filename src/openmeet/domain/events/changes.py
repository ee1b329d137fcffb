"""Notify webhooks of changed events. Called wherever an event is written."""

from collections.abc import Sequence

from groundwork.database.transaction import Transaction
from openmeet.domain.events.co_host_queries import co_hosts_of
from openmeet.domain.events.model import Event
from openmeet.domain.webhooks.actions import ChangedSubject, enqueue_deliveries
from openmeet.domain.webhooks.model import WebhookEvent
from openmeet.domain.webhooks.queries import is_any_on


async def notify_webhooks(tx: Transaction, events: Sequence[Event]) -> None:
    """Enqueue “event changed” for the webhooks of these events’ hosts and groups. Drafts are left out."""
    if not await is_any_on(tx):
        return
    co_hosts = await co_hosts_of(tx, [event.id for event in events])
    await enqueue_deliveries(
        tx,
        WebhookEvent.EVENT,
        [
            ChangedSubject(
                event.id, (event.author_id, *co_hosts.get(event.id, ())), event.group.id if event.group else None
            )
            for event in events
            if not event.is_draft
        ],
    )
