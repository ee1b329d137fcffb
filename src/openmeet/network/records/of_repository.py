"""Records of one repository, as far as they are here: which of them a reading must contain, and which stand where."""

from collections.abc import Sequence

from groundwork.database.bytewise import bytewise
from groundwork.database.for_each import for_each
from groundwork.database.transaction import Reader

# What a complete read did not contain: only records that were not changed after it.
ABSENT = """
    select uri, collection, rkey from records
     where did = :did and collection in :collections and standing <> 'tombstone'
       and (rev <= :rev or epoch < (select epoch from repositories where did = :did))
     order by uri
"""

# Of deletions and of what makes no row here every reading asks again: what is there now, what is understood now.
UNDERSTOOD = """
    select uri, cid from records
     where did = :did and collection in :collections and standing in ('mapped', 'parked') and is_verified = 1
       and epoch >= coalesce((select epoch from repositories where did = :did), 0)
     order by uri
"""

# Whose records are here, and who has to do with somebody here beyond those.
REFERRED_TO = """
    select given.did from each(did text) as given
     where exists (select 1 from records r where r.did = given.did and r.standing <> 'tombstone')
        or exists (select 1 from publications p where p.did = given.did)
        or exists (select 1 from group_follows f where f.did = given.did)
        or exists (select 1 from identities i join users u on u.id = i.user_id where i.did = given.did
                    and (u.kind <> 'shadow'
                         or exists (select 1 from person_followers f where f.followed_id = u.id)
                         or exists (select 1 from attendances a where a.user_id = u.id)
                         or exists (select 1 from group_members m where m.user_id = u.id)))
"""

# What stands between two keys of a collection, without those that are known to stand there.
BETWEEN = """
    select uri from records
     where did = :did and collection = :collection and standing <> 'tombstone' and {rkey} > :above and {rkey} < :below
       and uri not in :besides
     order by {rkey} desc limit :limit
"""


async def not_newer_than(reader: Reader, did: str, rev: str, collections: Sequence[str]) -> list[tuple[str, str, str]]:
    """(uri, collection, key) of records that a complete read at ``rev`` must contain if they still exist."""
    rows = await reader.fetch(ABSENT, did=did, rev=rev, collections=list(collections))
    return [(row["uri"], row["collection"], row["rkey"]) for row in rows]


async def understood(reader: Reader, did: str, collections: Sequence[str]) -> dict[str, str]:
    """CIDs by uri of records that are signed for and understood, as last seen."""
    rows = await reader.fetch(UNDERSTOOD, did=did, collections=list(collections))
    return {row["uri"]: row["cid"] for row in rows}


async def referred_to(reader: Reader, dids: Sequence[str]) -> set[str]:
    """Those of these DIDs to which anything here refers."""
    rows = await for_each(reader, REFERRED_TO, [{"did": did} for did in dids])
    return {row["did"] for row in rows}


async def between(
    reader: Reader, did: str, collection: str, *, above: str, below: str, besides: Sequence[str], limit: int
) -> list[str]:
    """The uris of a collection's records that are here, with keys between these two, the greatest first; at most ``limit``.

    ``besides``: uris that are left out. Keys are compared byte by byte, as servers list them.
    """
    sql = BETWEEN.format(rkey=bytewise("rkey", reader.engine))
    values = {"above": above, "below": below, "besides": list(besides), "limit": limit}
    return [row["uri"] for row in await reader.fetch(sql, did=did, collection=collection, **values)]


async def newest_of(reader: Reader, did: str, collection: str, *, limit: int) -> list[str]:
    """The uris of what a repository has in a collection, the newest keys first."""
    rows = await reader.fetch(
        "select uri from records where did = :did and collection = :collection and standing = 'mapped'"
        " order by uri desc limit :limit",
        did=did,
        collection=collection,
        limit=limit,
    )
    return [row["uri"] for row in rows]
