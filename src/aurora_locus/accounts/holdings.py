"""What an account has here, counted: for its owner, who moves it and wants to know whether everything came along."""

from dataclasses import dataclass

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Reader

_COUNT = """
    select (select count(*) from blocks where did = :did and uses > 0) as blocks,
           (select count(*) from records where did = :did) as records,
           (select count(distinct cid) from blob_references where did = :did) as expected_blobs,
           (select count(*) from blobs where did = :did) as blobs,
           (select count(*) from preferences where did = :did) as preferences
"""


@dataclass(frozen=True, slots=True)
class Holdings:
    """``expected_blobs`` are those that records refer to, ``blobs`` those that are here."""

    blocks: int
    records: int
    expected_blobs: int
    blobs: int
    preferences: int


async def count(reader: Reader, did: Did) -> Holdings:
    """Goes through everything the account has; for its owner, not for a crowd."""
    row = await reader.fetch_one(_COUNT, did=did)
    if row is None:
        raise LookupError("a statement without a table has one row")
    return Holdings(row["blocks"], row["records"], row["expected_blobs"], row["blobs"], row["preferences"])
