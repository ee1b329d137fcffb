"""No search scans all events: each of its statements uses an index, on both engines."""

from datetime import date

import pytest

from groundwork.database.transaction import Database
from groundwork.geo_points import SearchArea
from openmeet.domain.events.values import Mode
from openmeet.domain.search import index_scan, search
from openmeet.domain.search.my_event_lists import EventCursor
from openmeet.domain.search.search import EventOrigin, SearchQuery
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import person
from tests.openmeet.web.query_plans import COPIED_EVENTS, ExplainingReader, insert_copies, reads_all_events

JULY = (date(2026, 7, 1), date(2026, 7, 31))
QUESTIONS = {
    "everything": SearchQuery(),
    "words": SearchQuery(("w77", "tea")),
    "a topic": SearchQuery(topics=("category:music",)),
    "online": SearchQuery(mode=Mode.ONLINE),
    "from elsewhere": SearchQuery(source=EventOrigin.ATPROTO),
    "near": SearchQuery(near=SearchArea(52.5, 13.4, 25)),
    "far": SearchQuery(("w7",), near=SearchArea(52.5, 13.4, 500)),
}


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet", transaction_seconds=120.0)


async def test_every_statement_of_a_search_uses_an_index(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of search is checked. Sequential scans are disabled on PostgreSQL, because with so few rows they would
    be cheaper.
    """
    monkeypatch.setattr(index_scan, "_EVENTS_PER_SCAN", 1)
    async with db.transaction() as tx:
        await insert_copies(tx)
        if db.engine == "postgresql":
            await tx.execute("set local enable_seqscan = off")
        for asked, wanted in QUESTIONS.items():
            explaining = ExplainingReader(tx)
            # SQLite rightly scans the table to read nearly every event by its id.
            await search.coming(explaining, wanted, None, COPIED_EVENTS // 10)
            await search.coming(explaining, wanted, EventCursor(tx.now, "", 0), COPIED_EVENTS // 10)
            looked_up = [plan for plan in explaining.plans if "events_by_words" in plan or "VIRTUAL TABLE" in plan]
            assert bool(looked_up) is (asked != "everything"), (asked, explaining.plans)
            assert [plan for plan in explaining.plans if reads_all_events(plan)] == [], asked


async def test_a_month_is_one_statement_on_the_index_of_starts(db: Database) -> None:
    """Only those events of the month are read that are counted."""
    async with db.transaction() as tx:
        await insert_copies(tx)
        if db.engine == "postgresql":
            await tx.execute("set local enable_seqscan = off")
        explaining = ExplainingReader(tx)
        found = await search.local_days(explaining, SearchQuery(first=JULY[0], last=JULY[1]), COPIED_EVENTS + 2)
        (plan,) = explaining.plans
    assert len(found) == COPIED_EVENTS + 1
    assert "events_coming" in plan
    assert not reads_all_events(plan)


async def test_ones_groups_are_read_by_their_own_index(db: Database) -> None:
    async with db.transaction() as tx:
        me = await person(tx, "Ana")
        if db.engine == "postgresql":
            await tx.execute("set local enable_seqscan = off")
        explaining = ExplainingReader(tx)
        await search.coming(explaining, SearchQuery(("tea",), of_groups_of=me.user_id), None, 30)
    assert explaining.plans
    assert all("events_of_group_by_start" in plan for plan in explaining.plans), explaining.plans
