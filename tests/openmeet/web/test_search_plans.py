"""No search scans all events: each of its statements uses an index, on both engines."""

from collections.abc import Sequence
from datetime import date

import pytest

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Engine, Reader, Row, Transaction
from groundwork.geo_points import Near
from openmeet.domain.events.values import Mode
from openmeet.domain.search import index_scan, search
from openmeet.domain.search.my_event_lists import EventCursor
from openmeet.domain.search.search import EventOrigin, SearchQuery
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person

EVENTS = 1_000
JULY = (date(2026, 7, 1), date(2026, 7, 31))
QUESTIONS = {
    "everything": SearchQuery(),
    "words": SearchQuery(("w77", "tea")),
    "a topic": SearchQuery(topics=("category:music",)),
    "online": SearchQuery(mode=Mode.ONLINE),
    "from elsewhere": SearchQuery(source=EventOrigin.ATPROTO),
    "near": SearchQuery(near=Near(52.5, 13.4, 25)),
    "far": SearchQuery(("w7",), near=Near(52.5, 13.4, 500)),
}


class Explaining:
    """A reader that keeps the plan of each statement that it runs."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.plans: list[str] = []

    @property
    def engine(self) -> Engine:
        return self._reader.engine

    @property
    def now(self) -> Instant:
        return self._reader.now

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        is_sqlite = self.engine == "sqlite"
        rows = await self._reader.fetch(f"explain {'query plan ' if is_sqlite else ''}{sql}", **parameters)
        self.plans.append("\n".join(str(row["detail"] if is_sqlite else row[0]) for row in rows))
        return await self._reader.fetch(sql, **parameters)

    async def fetch_one(self, sql: str, /, **parameters: object) -> Row | None:
        rows = await self.fetch(sql, **parameters)
        return rows[0] if rows else None


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet", transaction_seconds=120.0)


async def many_events(tx: Transaction) -> None:
    """Copies of a real event, enough for an index to pay off."""
    event = await event_by(tx, await person(tx, "Ana"), title="Tea")
    row = await tx.fetch_one("select * from events")
    assert row is not None
    changed = {
        "id": "'e' || n.i",
        "slug": "'e' || n.i",
        "starts_at": f"{event.starts_at} + n.i",
        "search_words": "search_words || 'w' || n.i || ' '",
    }
    names = list(dict(row))
    await tx.execute(
        f"""
        insert into events ({", ".join(names)})
        with recursive n(i) as (select 1 union all select i + 1 from n where i < {EVENTS})
        select {", ".join(changed.get(name, name) for name in names)} from n, (select * from events) o
        """
    )
    await tx.execute("analyze events")


async def test_every_statement_of_a_search_uses_an_index(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of search is checked. Sequential scans are disabled on PostgreSQL, because with so few rows they would
    be cheaper.
    """
    monkeypatch.setattr(index_scan, "_EVENTS_PER_SCAN", 1)
    async with db.transaction() as tx:
        await many_events(tx)
        if db.engine == "postgresql":
            await tx.execute("set local enable_seqscan = off")
        for asked, wanted in QUESTIONS.items():
            explaining = Explaining(tx)
            await search.coming(explaining, wanted, None, EVENTS + 1)
            await search.coming(explaining, wanted, EventCursor(tx.now, "", 0), EVENTS + 1)
            looked_up = [plan for plan in explaining.plans if "events_by_words" in plan or "VIRTUAL TABLE" in plan]
            assert bool(looked_up) is (asked != "everything"), (asked, explaining.plans)
            assert [plan for plan in explaining.plans if reads_all(plan)] == [], asked


async def test_a_month_is_one_statement_on_the_index_of_starts(db: Database) -> None:
    """Only those events of the month are read that are counted."""
    async with db.transaction() as tx:
        await many_events(tx)
        if db.engine == "postgresql":
            await tx.execute("set local enable_seqscan = off")
        explaining = Explaining(tx)
        found = await search.local_days(explaining, SearchQuery(first=JULY[0], last=JULY[1]), EVENTS + 2)
        (plan,) = explaining.plans
    assert len(found) == EVENTS + 1
    assert "events_coming" in plan
    assert not reads_all(plan)


def reads_all(plan: str) -> bool:
    """True if every event is read. SQLite also reports ``SCAN e`` for the few rows of a subquery."""
    return "Seq Scan on events" in plan or (
        "CO-ROUTINE e" not in plan and any("SCAN e" in line and "USING" not in line for line in plan.splitlines())
    )


async def test_ones_groups_are_read_by_their_own_index(db: Database) -> None:
    async with db.transaction() as tx:
        me = await person(tx, "Ana")
        if db.engine == "postgresql":
            await tx.execute("set local enable_seqscan = off")
        explaining = Explaining(tx)
        await search.coming(explaining, SearchQuery(("tea",), of_groups_of=me.user_id), None, 30)
    assert explaining.plans
    assert all("events_of_group_by_start" in plan for plan in explaining.plans), explaining.plans
