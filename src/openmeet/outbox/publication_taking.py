"""Which records are paid next: leased when they are due, retractions first, and none of a server that is not to be asked now."""

from collections.abc import Sequence

from groundwork.clock import SECOND
from groundwork.database.transaction import Reader, Transaction
from openmeet.outbox.publication_leases import COLUMNS, Publication, publication_of
from openmeet.outbox.publications import Kind

_READY = """(
        (state in ('due', 'retrying', 'waiting') and due_at <= :now)
        or (state = 'retracting' and due_at <= :now and leased_until is null)
        or (state in ('sending', 'retracting') and leased_until <= :now))"""

# Of whom nothing is asked now, because their server fails or somebody is at it. A record that was never sent has no DID yet: it is
# its person's first. The one look from here into a room above.
_NOT_SHUT = """not exists (
        select 1 from identities i
         where i.pds_url in :shut
           and (i.did = publications.did
                or (publications.did is null and i.user_id = publications.user_id and i.is_default = 1)))"""

# Retractions go before everything else. The guard stands outside too: see groundwork/outbox/pay.py. A row whose
# uri another row of the same repository is sending is no concern here: one row per record.
LEASE = f"""
    update publications
       set state = case when state = 'retracting' then 'retracting' else 'sending' end,
           lease = lease + 1, leased_until = :until, looks_again = 0
     where {_READY}
       and (kind, subject_id) in (
           select kind, subject_id from publications where {_READY} and {_NOT_SHUT}
            order by case when state = 'retracting' then 0 else 1 end, due_at, kind, subject_id limit :limit)
    returning {COLUMNS}
"""

# More of the same people that may go out in one call: what was never sent; not what failed before.
_ALIKE = f"""{_READY} and attempts = 0 and state = 'due' and uri is null"""

LEASE_ALIKE = f"""
    update publications
       set state = 'sending', lease = lease + 1, leased_until = :until, looks_again = 0
     where {_ALIKE}
       and (kind, subject_id) in (
           select kind, subject_id from publications where {_ALIKE} and user_id in :user_ids and {_NOT_SHUT}
            order by due_at, kind, subject_id limit :limit)
    returning {COLUMNS}
"""

SERVERS_OF = """
    select p.kind as kind, p.subject_id as subject_id, min(i.pds_url) as pds_url
      from publications p
      join identities i on i.did = p.did or (p.did is null and i.user_id = p.user_id and i.is_default = 1)
     where p.subject_id in :ids group by p.kind, p.subject_id order by p.kind, p.subject_id
"""

# No server's address: a list in a statement has something in it.
_NOBODYS = ["-"]

LEASE_ONE = f"""
    update publications
       set state = case when state = 'retracting' then 'retracting' else 'sending' end,
           lease = lease + 1, leased_until = :until, looks_again = 0
     where kind = :kind and subject_id = :subject_id and {_READY}
    returning {COLUMNS}
"""


async def take(tx: Transaction, *, limit: int, seconds: float, shut: Sequence[str] = ()) -> list[Publication]:
    """Lease what is due, retractions first, but not of the servers that are ``shut``."""
    rows = await tx.fetch(
        LEASE, now=tx.now, until=tx.now + int(seconds * SECOND), limit=limit, shut=list(shut) or _NOBODYS
    )
    return [publication_of(row) for row in rows]


async def take_alike(
    tx: Transaction, held: Sequence[Publication], *, limit: int, seconds: float, shut: Sequence[str] = ()
) -> list[Publication]:
    """Lease more of the same people that can go out together with what is held."""
    user_ids = sorted({one.user_id for one in held})
    if not user_ids:
        return []
    rows = await tx.fetch(
        LEASE_ALIKE,
        now=tx.now,
        until=tx.now + int(seconds * SECOND),
        limit=limit,
        user_ids=user_ids,
        shut=list(shut) or _NOBODYS,
    )
    return [publication_of(row) for row in rows]


async def servers_of(reader: Reader, held: Sequence[Publication]) -> dict[tuple[Kind, str], str]:
    """The server that each of these goes to; nothing of those whose person has no repository."""
    if not held:
        return {}
    rows = await reader.fetch(SERVERS_OF, ids=sorted({one.subject_id for one in held}))
    return {(Kind(row["kind"]), row["subject_id"]): row["pds_url"] for row in rows}


async def take_one(tx: Transaction, *, kind: Kind, subject_id: str, seconds: float) -> Publication | None:
    """Lease this one if it is due: a request that pays its own debt at once."""
    row = await tx.fetch_one(
        LEASE_ONE, kind=kind, subject_id=subject_id, now=tx.now, until=tx.now + int(seconds * SECOND)
    )
    return None if row is None else publication_of(row)
