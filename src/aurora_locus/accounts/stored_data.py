"""Counts of an account's data, so that owners can check whether a migration is complete."""

from dataclasses import dataclass

from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from groundwork.database.transaction import Reader

_COUNT = """
    select (select count(*) from blocks where did = :did and uses > 0) as blocks,
           (select count(*) from records where did = :did) as records,
           (select count(distinct cid) from blob_references where did = :did) as expected_blobs,
           (select count(*) from blobs where did = :did) as blobs,
           (select count(*) from preferences where did = :did) as preferences
"""
_MEASURE = """
    select (select count(*) from records where did = :did) as records,
           (select coalesce(sum(length(bytes)), 0) from blocks where did = :did and uses > 0) as repository_bytes,
           (select count(*) from blobs where did = :did) as blobs,
           (select coalesce(sum(size), 0) from blobs where did = :did) as blob_bytes
"""
_COUNT_BY_COLLECTION = """
    select collection, count(*) as records from records where did = :did group by collection order by collection
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCounts:
    """Counts of an account's data. ``expected_blobs`` counts blobs that records refer to, ``blobs`` counts those stored
    on this server.
    """

    blocks: int
    records: int
    expected_blobs: int
    blobs: int
    preferences: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Storage use of an account. ``blobs`` and ``blob_bytes`` cover all uploads, which count against the quota."""

    records: int
    repository_bytes: int
    blobs: int
    blob_bytes: int


async def measure(reader: Reader, did: Did) -> Storage:
    """Measure the storage that an account uses. This scans all its data, so it is only for occasional use by the owner."""
    row = await reader.fetch_one(_MEASURE, did=did)
    if row is None:
        raise LookupError("a statement without a table has one row")
    return Storage(
        records=row["records"],
        repository_bytes=int(row["repository_bytes"]),
        blobs=row["blobs"],
        blob_bytes=int(row["blob_bytes"]),
    )


async def collections(reader: Reader, did: Did) -> list[tuple[Nsid, int]]:
    """Return every collection with its record count, sorted by name."""
    return [(Nsid(row["collection"]), row["records"]) for row in await reader.fetch(_COUNT_BY_COLLECTION, did=did)]


async def count(reader: Reader, did: Did) -> DataCounts:
    """Count the account's records, blocks, blobs and preferences. This scans all its data, so it is only for occasional
    use by the owner.
    """
    row = await reader.fetch_one(_COUNT, did=did)
    if row is None:
        raise LookupError("a statement without a table has one row")
    return DataCounts(
        blocks=row["blocks"],
        records=row["records"],
        expected_blobs=row["expected_blobs"],
        blobs=row["blobs"],
        preferences=row["preferences"],
    )
