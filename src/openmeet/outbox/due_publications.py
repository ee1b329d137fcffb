"""Lease the publications that are due, retractions first. What the publisher then stores: ``leased_publications``."""

from collections.abc import Sequence

from groundwork.clock import SECOND
from groundwork.database.transaction import Reader, Transaction
from openmeet.outbox.publication_queries import COLUMNS, Publication, publication_of
from openmeet.outbox.publications import PublicationKind

_READY = """(
        (state in ('due', 'retrying', 'waiting') and due_at <= :now)
        or (state = 'retracting' and due_at <= :now and leased_until is null)
        or (state in ('sending', 'retracting') and leased_until <= :now))"""

# Excludes people whose server is not called now, because its circuit is open or another round is calling it. A record
# that was never sent has no DID yet; its person's default DID is used. This query and ``_SERVERS_OF`` are the only ones
# here that read a table of a higher package.
_NOT_EXCLUDED = """not exists (
        select 1 from identities i
         where i.pds_url in :excluded_servers
           and (i.did = publications.did
                or (publications.did is null and i.user_id = publications.user_id and i.is_default = 1)))"""

# Retractions come first. The condition is repeated outside the subselect, as in groundwork/outbox/jobs.py (``LEASE``).
# Two rows cannot send the same record, because there is one row per record.
_LEASE = f"""
    update publications
       set state = case when state = 'retracting' then 'retracting' else 'sending' end,
           lease = lease + 1, leased_until = :until, needs_recheck = 0
     where {_READY}
       and (kind, subject_id) in (
           select kind, subject_id from publications where {_READY} and {_NOT_EXCLUDED}
            order by case when state = 'retracting' then 0 else 1 end, due_at, kind, subject_id limit :limit)
    returning {COLUMNS}
"""

# More rows of the same people that can be sent in the same call: rows that were never sent and never failed.
_BATCHABLE = f"""{_READY} and attempts = 0 and state = 'due' and uri is null"""

_LEASE_BATCHABLE = f"""
    update publications
       set state = 'sending', lease = lease + 1, leased_until = :until, needs_recheck = 0
     where {_BATCHABLE}
       and (kind, subject_id) in (
           select kind, subject_id from publications where {_BATCHABLE} and user_id in :user_ids and {_NOT_EXCLUDED}
            order by due_at, kind, subject_id limit :limit)
    returning {COLUMNS}
"""

_SERVERS_OF = """
    select p.kind as kind, p.subject_id as subject_id, min(i.pds_url) as pds_url
      from publications p
      join identities i on i.did = p.did or (p.did is null and i.user_id = p.user_id and i.is_default = 1)
     where p.subject_id in :ids group by p.kind, p.subject_id order by p.kind, p.subject_id
"""

# Matches no server. A list in a statement needs at least one element.
_NO_SERVER = ["-"]

_LEASE_ONE = f"""
    update publications
       set state = case when state = 'retracting' then 'retracting' else 'sending' end,
           lease = lease + 1, leased_until = :until, needs_recheck = 0
     where kind = :kind and subject_id = :subject_id and {_READY}
    returning {COLUMNS}
"""


async def lease_due(
    tx: Transaction, *, limit: int, seconds: float, excluded_servers: Sequence[str] = ()
) -> list[Publication]:
    """Lease rows that are due, retractions first, except for ``excluded_servers`` (those with an open circuit or being
    called now).
    """
    rows = await tx.fetch(
        _LEASE,
        now=tx.now,
        until=tx.now + int(seconds * SECOND),
        limit=limit,
        excluded_servers=list(excluded_servers) or _NO_SERVER,
    )
    return [publication_of(row) for row in rows]


async def lease_batchable(
    tx: Transaction,
    publications: Sequence[Publication],
    *,
    limit: int,
    seconds: float,
    excluded_servers: Sequence[str] = (),
) -> list[Publication]:
    """Lease more rows of the same people that can be sent in one call with the leased ones."""
    user_ids = sorted({one.user_id for one in publications})
    if not user_ids:
        return []
    rows = await tx.fetch(
        _LEASE_BATCHABLE,
        now=tx.now,
        until=tx.now + int(seconds * SECOND),
        limit=limit,
        user_ids=user_ids,
        excluded_servers=list(excluded_servers) or _NO_SERVER,
    )
    return [publication_of(row) for row in rows]


async def servers_of(reader: Reader, publications: Sequence[Publication]) -> dict[tuple[PublicationKind, str], str]:
    """The PDS of each publication, by kind and subject. People without a repository are left out."""
    if not publications:
        return {}
    rows = await reader.fetch(_SERVERS_OF, ids=sorted({one.subject_id for one in publications}))
    return {(PublicationKind(row["kind"]), row["subject_id"]): row["pds_url"] for row in rows}


async def lease_one(tx: Transaction, *, kind: PublicationKind, subject_id: str, seconds: float) -> Publication | None:
    """Lease one publication if it is due. Used by a request that delivers its own publication immediately."""
    row = await tx.fetch_one(
        _LEASE_ONE, kind=kind, subject_id=subject_id, now=tx.now, until=tx.now + int(seconds * SECOND)
    )
    return None if row is None else publication_of(row)
