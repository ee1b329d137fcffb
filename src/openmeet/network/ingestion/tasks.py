"""Scheduled tasks: enqueue reconciliation and identity refreshes, and delete old discrepancies.

Each repository that we write to is compared once a day (``reconcile``). The servers of hidden accounts are queried once
a day at first, then more rarely, so that an account that came back unannounced is shown again.
"""

from groundwork.clock import DAY
from groundwork.database.pages import change_in_pages
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import jobs
from openmeet.domain.identities import queries as identities
from openmeet.network.ingestion import discrepancies, quarantine
from openmeet.outbox.kinds import JobKind

# The revision of a job is the time at which it was enqueued, so a comparison that failed is not repeated before a day
# has passed.
UNREAD = """
    select i.did from identities i left join repositories r on r.did = i.did
     where i.kind in ('connected', 'custodial') and (r.synced_at is null or r.synced_at < :before)
       and not exists (select 1 from outbox_jobs j where j.kind = :kind and j.subject = i.did and j.revision >= :before)
     order by i.did
"""


async def enqueue_reconciliations(db: Database) -> int:
    """Enqueue a comparison of every repository of ours that has not been read completely for a day, and a refresh of
    hidden accounts; return the number of comparisons.
    """
    async with db.transaction() as tx:
        unread = [row["did"] for row in await tx.fetch(UNREAD, before=tx.now - DAY, kind=JobKind.RECONCILE.value)]
        away = await identities.take_inactive_to_check(tx)
        # In one statement each: a busy site knows more hidden accounts than fit into a transaction one by one.
        await jobs.enqueue_again(tx, JobKind.RECONCILE, unread)
        await jobs.enqueue_again(tx, JobKind.REFRESH_IDENTITY, away)
    return len(unread)


async def forget_discrepancies(db: Database) -> int:
    """Delete discrepancies that were repaired long ago, and quarantined records that were superseded; return their
    number.
    """

    async def delete(tx: Transaction) -> int:
        return await discrepancies.forget_old(tx) + await quarantine.delete_obsolete(tx)

    return await change_in_pages(db, delete)
