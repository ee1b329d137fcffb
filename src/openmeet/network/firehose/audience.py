"""Whom the consumer brings messages: every configured community. One that is new is owed what the others heard before it came.

A community that is no longer configured, or whose queue is away, is forgotten here, so that it counts as new when it comes back:
meanwhile nobody kept anything for it.
"""

from collections.abc import Sequence

from groundwork.database.transaction import Database
from groundwork.errors import Unavailable
from groundwork.outbox import owe
from groundwork.telemetry.logs import log
from openmeet.network.firehose import sources
from openmeet.network.firehose.sources import Interests
from openmeet.outbox.kinds import Debt
from openmeet.tenants.configured import Tenant

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
                await _owe_reading(tenant, heard_of)
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
    await _owe_reading(tenant, sorted(known.followed | set(known.dids)))
    async with installation.transaction() as tx:
        await sources.add(tx, sources.everything_for(tenant.name))


async def _owe_reading(tenant: Tenant, dids: Sequence[str]) -> None:
    # Before anything is said to be owed: a database that is away says so here, also where there is nothing to owe.
    async with tenant.database.reader():
        pass
    for start in range(0, len(dids), BATCH):
        async with tenant.database.transaction() as tx:
            owed = [(did, int(tx.now), tx.now) for did in dids[start : start + BATCH]]
            await owe.owe_many(tx, Debt.BACKFILL, owed)
    log.info("tenant.seated", tenant=tenant.name, repositories=len(dids))
