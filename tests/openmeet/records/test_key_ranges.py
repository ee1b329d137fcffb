"""Listing records between two keys: in Python's order, whatever the database's collation, and no more rows than
requested.
"""

import random

import pytest

from groundwork.database.transaction import Database
from openmeet.network.records import seen
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import deletion_of, did, event, rsvp
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.statement_counter import StatementCounter
from tests.simulation.oracle import EVENT

# Most collations of human languages order these differently.
KEYS = (
    "-a",
    "A",
    "B",
    "Z",
    "_",
    "a",
    "a-b",
    "a.b",
    "aB",
    "ab",
    "b",
    "z",
    "~",
    "0",
    "9",
    "3mqdau33ozs2n",
    "3Mqdau33ozs2n",
)
BEHIND = "\x7f"


@pytest.fixture
async def db(new_connections: None, make_database: MakeDatabase) -> Database:
    found = await make_database("openmeet")
    async with found.transaction() as tx:
        if tx.engine == "postgresql":
            await tx.execute('alter table records alter column rkey type text collate "en-x-icu"')
    tea = event(1, "gone", 1)
    of_others = (event(2, "a", 1), rsvp(1, "a", 1, tea.uri), tea)
    await apply_messages(found, *of_others, *(event(1, key, 1) for key in KEYS), deletion_of(tea, 2))
    return found


def uri_of(key: str) -> str:
    return f"at://{did(1)}/{EVENT}/{key}"


async def test_between_two_keys(db: Database):
    """Both bounds, excluded records, deleted ones and those of other collections or people are left out. The greatest
    key comes first.
    """
    choose = random.Random(20261121)
    for _ in range(60):
        above, below = choose.choice(("", *KEYS)), choose.choice((*KEYS, BEHIND))
        besides, limit = choose.sample(KEYS, choose.randrange(5)), choose.randrange(1, 20)
        async with db.reader() as reader:
            found = await seen.uris_between(
                reader, did(1), EVENT, above=above, below=below, besides=[uri_of(one) for one in besides], limit=limit
            )
        wanted = sorted((one for one in KEYS if above < one < below and one not in besides), reverse=True)
        assert found == [uri_of(one) for one in wanted[:limit]], (above, below, besides, limit)


async def test_only_the_requested_rows_are_read(db: Database):
    """The query reads only the requested rows, however many records the repository has."""
    async with db.transaction() as tx:
        counting = StatementCounter(tx)
        await seen.uris_between(counting, did(1), EVENT, above="", below=BEHIND, besides=[uri_of("~")], limit=3)
    assert (counting.statements, counting.rows) == (1, 3)
