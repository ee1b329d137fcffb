"""Deliver the messages of all sources to the queues of the tenants that want them. A message that several sources sent
is delivered once.

Delivery returns after the queues have confirmed the messages, so the caller can then move its cursor. Recently
delivered changes are remembered, and further copies are skipped; ingestion's merge handles older copies. An unsigned
copy of a signed message is skipped, but a signed copy of an unsigned message is delivered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cachetools import LRUCache

from at_network.event_stream import Backoff
from groundwork.database.transaction import Database
from groundwork.errors import Unavailable
from groundwork.outbox import jobs
from groundwork.queue.contract import Message, Queue
from groundwork.telemetry.logs import log
from openmeet.network.firehose import tenant_interests
from openmeet.network.firehose.metrics import FirehoseMetrics
from openmeet.network.firehose.tenant_interests import Interests
from openmeet.network.records.message import Hint, RecordMessage, encode
from openmeet.outbox.kinds import JobKind
from openmeet.tenants.configured import Tenant

# Sources are only seconds apart, and calendar records are rare: the whole network has far fewer than this per day.
REMEMBERED = 100_000
# Messages per call to a queue: a gap enqueues a read of every followed repository.
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class TenantQueues:
    """The queues by tenant, and the recently delivered messages. ``sleep``: the event loop's function, or a replacement
    in tests.
    """

    queues: Mapping[str, Queue]
    metrics: FirehoseMetrics
    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    # Message id → whether the message was signed.
    recent: LRUCache[str, bool] = field(default_factory=lambda: LRUCache(REMEMBERED))


async def deliver(tenant_queues: TenantQueues, interests: Interests, messages: Sequence[RecordMessage | Hint]) -> None:
    """Deliver messages. Returns when every queue has confirmed its messages."""
    fresh = [message for message in messages if not _is_delivered(tenant_queues, message)]
    tenant_queues.metrics.messages_repeated.inc(len(messages) - len(fresh))
    by_tenant: dict[str, list[Message]] = {tenant: [] for tenant in tenant_queues.queues}
    for message in fresh:
        envelope = Message(message.routing_key, message.did, encode(message), message.message_id)
        for tenant in _tenants_for(interests, message):
            if tenant in by_tenant:
                by_tenant[tenant].append(envelope)
                tenant_queues.metrics.messages_enqueued.inc()
    for tenant, envelopes in by_tenant.items():
        for start in range(0, len(envelopes), AT_ONCE):
            await _publish(tenant_queues, tenant, envelopes[start : start + AT_ONCE])
    for message in fresh:
        if isinstance(message, RecordMessage):
            was_signed = tenant_queues.recent.get(message.message_id, False)
            tenant_queues.recent[message.message_id] = message.is_verified or was_signed


def _is_delivered(tenant_queues: TenantQueues, message: RecordMessage | Hint) -> bool:
    if not isinstance(message, RecordMessage):
        return False
    was_signed = tenant_queues.recent.get(message.message_id)
    return was_signed is not None and (was_signed or not message.is_verified)


def _tenants_for(interests: Interests, message: RecordMessage | Hint) -> frozenset[str]:
    if isinstance(message, RecordMessage):
        return interests.tenants_for(message.did, message.collection)
    return interests.all_tenants


async def _publish(tenant_queues: TenantQueues, tenant: str, messages: Sequence[Message]) -> None:
    """Retry until the queue has confirmed. Meanwhile the buffer fills up and reading stops."""
    wait = tenant_queues.backoff.first_seconds
    while True:
        try:
            await tenant_queues.queues[tenant].publish(messages)
        except Unavailable as away:
            log.warning("queue.unavailable", tenant=tenant, messages=len(messages), reason=away.why)
            await tenant_queues.sleep(wait)
            wait = min(wait * 2, tenant_queues.backoff.longest_seconds)
        else:
            return


# Backfill jobs of a new tenant per transaction, which may last two seconds.
BATCH = 1_000


async def ensure_default_interests(installation: Database, tenants: Sequence[Tenant]) -> Interests:
    """Make sure that each tenant receives every calendar record. Called before any source is read.

    ``tenants``: the tenants to deliver to; the interests of all others are deleted. A new tenant, or one that lacks a
    collection because an update added it, gets a backfill of the known repositories. With an unreachable database, this
    is done later (``ensure_default_interests_late``). The backfill is enqueued first and the interest stored
    afterwards, so an interrupted start enqueues it again. Nothing in a known repository is missed: frames after the
    stored cursors go to all tenants, and the backfill reads everything older.
    """
    async with installation.transaction() as tx:
        await tenant_interests.forget_others(tx, [one.name for one in tenants])
        interests = await tenant_interests.load(tx)
    known_dids = sorted(interests.followed | set(interests.dids))
    added = []
    for tenant in tenants:
        if tenant.name not in interests.tenants_with_all_records:
            try:
                await _enqueue_backfill(tenant, known_dids)
            except Unavailable as away:
                log.warning("tenant.backfill_postponed", tenant=tenant.name, reason=away.why)
                continue
        added.append(tenant.name)
    async with installation.transaction() as tx:
        for name in added:
            await tenant_interests.add(tx, tenant_interests.default_interests(name))
        return await tenant_interests.load(tx)


async def ensure_default_interests_late(installation: Database, tenant: Tenant, interests: Interests) -> None:
    """Like ``ensure_default_interests``, for a tenant whose database became reachable only after the sources started.

    The tenant first starts to receive messages in this process, and then older records are enqueued, so nothing is
    missed in between. The interest is stored last, so an interrupted start begins again. Raises Unavailable; the caller
    retries.
    """
    interests.subscribe_to_all_records(tenant.name)
    await _enqueue_backfill(tenant, sorted(interests.followed | set(interests.dids)))
    async with installation.transaction() as tx:
        await tenant_interests.add(tx, tenant_interests.default_interests(tenant.name))


async def _enqueue_backfill(tenant: Tenant, dids: Sequence[str]) -> None:
    # Checked before anything is enqueued: an unreachable database raises here even if there is nothing to enqueue.
    async with tenant.database.reader():
        pass
    for start in range(0, len(dids), BATCH):
        async with tenant.database.transaction() as tx:
            await jobs.enqueue_again(tx, JobKind.BACKFILL, dids[start : start + BATCH])
    log.info("tenant.backfill_enqueued", tenant=tenant.name, repositories=len(dids))
