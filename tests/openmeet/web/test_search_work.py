"""On PostgreSQL a search reads few more rows than it shows: no events that do not match and no index entries of other
times.
"""

import json
from collections.abc import Mapping, Sequence

import pytest

from groundwork.clock import DAY
from groundwork.database.transaction import Database, Reader, Row, Transaction
from openmeet.domain.search import search
from openmeet.domain.search.search import SearchQuery
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person
from tests.openmeet.web.query_plans import ExplainingReader

EVENTS = 12_000
DAYS = 720
# Each prefix is in two thirds of all events, with a hundred different words. No event has all three.
COMMON = ("ka", "le", "mi")
# The maximum number of reads: rows of events that are not in the result, and pages of the index and the table.
READ, PAGES, STATEMENTS = 300, 2_000, 40


class Measuring(ExplainingReader):
    """A reader that counts statements. For statements that look up words it also counts the events and the pages of
    tables and indexes that they read.
    """

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.read = self.pages = self.statements = 0

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        self.statements += 1
        if "lookups" in parameters:
            (row,) = await self._reader.fetch(f"explain (analyze, buffers, format json) {sql}", **parameters)
            plan = json.loads(row[0])[0]["Plan"]
            self.read += events_read(plan)
            self.pages += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return await self._reader.fetch(sql, **parameters)


def events_read(plan: Mapping[str, object]) -> int:
    """The number of rows of ``events`` that this part of a plan reads: those returned and those filtered out."""
    inner = plan.get("Plans", [])
    assert isinstance(inner, list)
    here = 0
    if plan.get("Relation Name") == "events":
        each = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
        here = round(sum(float(str(plan.get(name, 0))) for name in each) * int(str(plan["Actual Loops"])))
    return here + sum(events_read(one) for one in inner)


@pytest.fixture
def engine() -> str:
    return "postgresql"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet", transaction_seconds=120.0)


async def crowd(tx: Transaction) -> None:
    """Insert events over two years. Each has words with two of the three prefixes in its title, and one word of its
    own.
    """
    event = await event_by(tx, await person(tx, "Ana"), title="Tea")
    row = await tx.fetch_one("select * from events")
    assert row is not None
    number = "(n.i / 3 % 100)"
    word = " ".join(
        f"when {left} then ' {a}' || {number} || ' {b}' || {number} || ' t={a}' || {number} || ' t={b}' || {number}"
        for left, a, b in ((0, "ka", "le"), (1, "le", "mi"), (2, "mi", "ka"))
    )
    changed = {
        "id": "'e' || n.i",
        "slug": "'e' || n.i",
        "starts_at": f"{event.starts_at} + n.i * cast(7919 as bigint) % {EVENTS} * {DAYS * DAY // EVENTS}",
        "search_words": f"case n.i % 3 {word} end || ' w' || n.i || ' '",
    }
    changed["over_at"] = changed["ends_at"] = f"{changed['starts_at']} + 7200000000"
    names = list(dict(row))
    await tx.execute(
        f"""
        insert into events ({", ".join(names)})
        select {", ".join(changed.get(name, f"o.{name}") for name in names)}
          from generate_series(1, {EVENTS}) n (i), (select * from events) o
        """
    )
    await tx.execute("analyze events")


async def test_rare_combinations_of_common_words_are_cheap(db: Database) -> None:
    async with db.transaction() as tx:
        await crowd(tx)
    async with db.reader() as reader:
        for words, found in ((COMMON, 0), (("w11", "ka"), 31), (("w11999",), 1), (("ka17", "le17"), 31)):
            measuring = Measuring(reader)
            events = await search.coming(measuring, SearchQuery(words), None, 31)
            assert len(events) == found, words
            assert 0 < measuring.pages <= PAGES, (words, measuring.pages)
            assert measuring.read <= READ + found, (words, measuring.read)
            assert measuring.statements <= STATEMENTS, (words, measuring.statements)
