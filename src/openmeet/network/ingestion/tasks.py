"""Scheduled tasks: enqueue reconciliation and identity refreshes, and delete old discrepancies.

Each repository that we write to is compared once a day (``reconcile``). The servers of hidden accounts are queried once
a day, so that an account that came back unannounced is shown again.
"""

from groundwork.clock import DAY
from groundwork.database.transaction import Database
from groundwork.outbox import jobs
from openmeet.network.ingestion import discrepancies, quarantine
from openmeet.outbox.kinds import JobKind

UNREAD = """
    select i.did from identities i left join repositories r on r.did = i.did
     where i.kind in ('connected', 'custodial') and (r.synced_at is null or r.synced_at < :before)
     order by i.did
"""

AWAY = "select did from identities where status <> 'active' and coalesce(checked_at, 0) < :before order by did"


async def reconcile(db: Database) -> int:
    """Enqueue a comparison of every repository of ours that has not been read completely for a day; return their
    number.
    """
    async with db.transaction() as tx:
        unread = [row["did"] for row in await tx.fetch(UNREAD, before=tx.now - DAY)]
        away = [row["did"] for row in await tx.fetch(AWAY, before=tx.now - DAY)]
        # In one statement each: a busy site knows more hidden accounts than fit into a transaction one by one.
        await jobs.enqueue_many(tx, JobKind.RECONCILE, [(did, int(tx.now), tx.now) for did in unread])
        await jobs.enqueue_many(tx, JobKind.REFRESH_IDENTITY, [(did, int(tx.now), tx.now) for did in away])
    return len(unread)


async def forget_discrepancies(db: Database) -> int:
    """Delete discrepancies that were repaired long ago, and quarantined records that were superseded; return their
    number.
    """
    async with db.transaction() as tx:
        return await discrepancies.forget_old(tx) + await quarantine.delete_obsolete(tx)
