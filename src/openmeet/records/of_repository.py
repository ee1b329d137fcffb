"""Records of one repository, as far as they are here: which of them a reading must contain, and which stand where."""

from collections.abc import Sequence

from groundwork.database.bytewise import bytewise
from groundwork.database.transaction import Reader

# What a complete read did not contain: only records that were not changed after it.
ABSENT = """
    select uri, collection, rkey from records
     where did = :did and collection in :collections and standing <> 'tombstone'
       and (rev <= :rev or epoch < (select epoch from repositories where did = :did))
     order by uri
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
