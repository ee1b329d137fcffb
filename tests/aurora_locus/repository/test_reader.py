"""Queries whose result depends on the plan that the database chooses."""

import random

from at_protocol.syntax.nsid import Nsid
from aurora_locus.repository import reader
from groundwork.database.transaction import Database, Writer

NOTE = Nsid("org.example.note")
CID = b"x" * 36


async def test_pages_of_repositories_with_a_collection_are_complete_on_a_host_of_any_size(db: Database) -> None:
    """Pages are ordered by DID, so that a crawler that continues after the last one misses none. The table has the size
    and the statistics with which PostgreSQL would read it in its own order.
    """
    dids = [f"did:plc:{number:024}" for number in range(400)]

    def insert(w: Writer) -> None:
        rows = [{"did": did, "collection": NOTE, "cid": CID} for did in random.Random(1).sample(dids, len(dids))]
        w.execute_many(
            """
            insert into repositories (did, status, head, rev, data, created_at)
            values (:did, 'active', :cid, '3', :cid, 0)
            """,
            [{"did": row["did"], "cid": CID} for row in rows],
        )
        w.execute_many(
            "insert into records (did, collection, rkey, cid, rev) values (:did, :collection, 'a', :cid, '3')", rows
        )
        w.execute("analyze repositories")
        w.execute("analyze records")

    await db.write(insert)
    found: list[str] = []
    while page := await reader.repositories_with(db, NOTE, found[-1] if found else "", 50):
        found += page
    assert found == dids
