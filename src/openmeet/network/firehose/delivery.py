"""What sources said, into the queues of those it concerns: once, however many sources said it.

Confirmed before this returns: who calls it may move a cursor. A change that another source has brought already is left
out, for as long as it is remembered; the rest is ingestion's join. Something unsigned says nothing to whoever heard it
signed, but not the other way around.
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
from openmeet.network.firehose import sources
from openmeet.network.firehose.metrics import FirehoseMetrics
from openmeet.network.firehose.sources import Interests
from openmeet.network.records.message import Hint, RecordMessage, encode
from openmeet.outbox.kinds import JobKind
from openmeet.tenants.configured import Tenant

# Sources are seconds apart, and calendars few: a day of all of the network's is far less.
REMEMBERED = 100_000
# Messages of one call to a queue: a gap owes reads of everybody who is followed.
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Delivering:
    """The queues by tenant, and what was put into them lately. ``sleep`` is the loop's, or a test's."""

    queues: Mapping[str, Queue]
    counting: FirehoseMetrics
    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    # Message to whether it was signed for.
    lately: LRUCache[str, bool] = field(default_factory=lambda: LRUCache(REMEMBERED))


async def deliver(delivering: Delivering, interests: Interests, messages: Sequence[RecordMessage | Hint]) -> None:
    """Returns when every queue has confirmed what it gets."""
    fresh = [message for message in messages if not _was_told(delivering, message)]
    delivering.counting.messages_repeated.inc(len(messages) - len(fresh))
    by_tenant: dict[str, list[Message]] = {tenant: [] for tenant in delivering.queues}
    for message in fresh:
        envelope = Message(message.routing_key, message.did, encode(message), message.message_id)
        for tenant in _concerned(interests, message):
            if tenant in by_tenant:
                by_tenant[tenant].append(envelope)
                delivering.counting.messages_enqueued.inc()
    for tenant, envelopes in by_tenant.items():
        for start in range(0, len(envelopes), AT_ONCE):
            await _publish(delivering, tenant, envelopes[start : start + AT_ONCE])
    for message in fresh:
        if isinstance(message, RecordMessage):
            was_signed = delivering.lately.get(message.message_id, False)
            delivering.lately[message.message_id] = message.is_verified or was_signed


def _was_told(delivering: Delivering, message: RecordMessage | Hint) -> bool:
    if not isinstance(message, RecordMessage):
        return False
    was_signed = delivering.lately.get(message.message_id)
    return was_signed is not None and (was_signed or not message.is_verified)


def _concerned(interests: Interests, message: RecordMessage | Hint) -> frozenset[str]:
    if isinstance(message, RecordMessage):
        return interests.tenants_for(message.did, message.collection)
    return interests.everybody


async def _publish(delivering: Delivering, tenant: str, messages: Sequence[Message]) -> None:
    """Until the queue has confirmed them: meanwhile the buffer fills, and reading stops."""
    wait = delivering.backoff.first_seconds
    while True:
        try:
            await delivering.queues[tenant].publish(messages)
        except Unavailable as away:
            log.warning("queue.unavailable", tenant=tenant, messages=len(messages), reason=away.why)
            await delivering.sleep(wait)
            wait = min(wait * 2, delivering.backoff.longest_seconds)
        else:
            return


# Repositories owed to a new community in one transaction, which may last two seconds.
BATCH = 1_000


async def seat(installation: Database, tenants: Sequence[Tenant]) -> Interests:
    """See to it that each of them hears of every calendar record; before anything is read from a source.

    ``tenants``: whose messages are kept; others are forgotten. One that is new and whose database is away gets its place later (``seat_late``). What is owed comes first and the interest after it: a start that breaks off in between owes again. Nothing is missed
    between the two: what comes behind the stored cursors is brought to all, what was before them is read whole.
    """
    async with installation.transaction() as tx:
        await sources.forget_others(tx, [one.name for one in tenants])
        known = await sources.load(tx)
    heard_of = sorted(known.followed | set(known.dids))
    seated = []
    for tenant in tenants:
        if tenant.name not in known.seated:
            try:
                await _enqueue_backfill(tenant, heard_of)
            except Unavailable as away:
                log.warning("tenant.seated_later", tenant=tenant.name, reason=away.why)
                continue
        seated.append(tenant.name)
    async with installation.transaction() as tx:
        for name in seated:
            await sources.add(tx, sources.everything_for(name))
        return await sources.load(tx)


async def seat_late(installation: Database, tenant: Tenant, known: Interests) -> None:
    """The same for a new one whose database came when sources are being read already. Raises Unavailable; then again.

    Here it hears first, in this process, and what was before that is owed then: so nothing falls between the two. What is
    stored comes last: a start that breaks off in between begins again.
    """
    known.hear_everything(tenant.name)
    await _enqueue_backfill(tenant, sorted(known.followed | set(known.dids)))
    async with installation.transaction() as tx:
        await sources.add(tx, sources.everything_for(tenant.name))


async def _enqueue_backfill(tenant: Tenant, dids: Sequence[str]) -> None:
    # Before anything is said to be owed: a database that is away says so here, also where there is nothing to owe.
    async with tenant.database.reader():
        pass
    for start in range(0, len(dids), BATCH):
        async with tenant.database.transaction() as tx:
            owed = [(did, int(tx.now), tx.now) for did in dids[start : start + BATCH]]
            await jobs.enqueue_many(tx, JobKind.BACKFILL, owed)
    log.info("tenant.seated", tenant=tenant.name, repositories=len(dids))
