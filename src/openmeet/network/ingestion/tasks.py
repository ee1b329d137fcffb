"""Scheduled tasks: enqueue reconciliation and identity refreshes, and delete old discrepancies.

Each repository that we write to is compared once a day (``reconcile``). The servers of hidden accounts are queried once
a day, so that an account that came back unannounced is shown again. If a server does not answer, or a DID cannot be
resolved, each pause is twice as long as the one before, up to a month.
"""

from typing import Final

from groundwork.clock import DAY
from groundwork.database.pages import change_in_pages
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import jobs
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

_LONGEST_PAUSE: Final = 30 * DAY

# ``checked_at`` is the last query, and ``updated_at`` the last answer or another change, after which the pauses begin
# anew.
_IS_AWAY: Final = """
    status <> 'active' and (checked_at is null or checked_at < :longest_ago
                            or (checked_at < :before and 2 * checked_at - updated_at < :now))
"""
AWAY = f"select did from identities where {_IS_AWAY} order by did"
_NOTE_QUERY: Final = f"update identities set checked_at = :now where {_IS_AWAY}"


async def enqueue_reconciliations(db: Database) -> int:
    """Enqueue a comparison of every repository of ours that has not been read completely for a day, and a refresh of
    hidden accounts; return the number of comparisons.
    """
    async with db.transaction() as tx:
        unread = [row["did"] for row in await tx.fetch(UNREAD, before=tx.now - DAY, kind=JobKind.RECONCILE.value)]
        times = {"before": tx.now - DAY, "longest_ago": tx.now - _LONGEST_PAUSE, "now": tx.now}
        away = [row["did"] for row in await tx.fetch(AWAY, **times)]
        await tx.execute(_NOTE_QUERY, **times)
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
