"""A person's calendar is read by index, whatever the number of other people's events; on both engines."""

import re

import pytest

from groundwork.clock import DAY
from groundwork.database.transaction import Database, Row, Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.calendars import entries
from openmeet.domain.calendars.model import WIDEST
from openmeet.domain.events import co_host_queries
from openmeet.domain.events.ownership import accepted_co_host
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person

# The index that each query must use, or a condition on its column. Which index PostgreSQL uses for keys or an author
# depends on the number of rows, so any is accepted there.
QUESTIONS = {
    "hosting": (entries.hosting, {"sqlite": "events_by_author", "postgresql": r"Index Cond: \(+author_id = "}),
    "answers": (
        entries.ANSWERS,
        {"sqlite": "attendances_by_user", "postgresql": "attendances_by_user"},
    ),
    "co-hosting": (
        entries.CO_HOSTING,
        {"sqlite": "event_co_hosts_of_person", "postgresql": r"event_co_hosts_of_person|Index Cond: \(+user_id = "},
    ),
    "by key": (entries.by_key, {"sqlite": "sqlite_autoindex_events_1", "postgresql": "on events e"}),
    "subscribed": (
        entries.subscribed,
        {"sqlite": "subscribed_dates_by_user", "postgresql": "subscribed_dates_by_user"},
    ),
}


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def plan_of(tx: Transaction, engine: str, sql: str, parameters: dict[str, object]) -> str:
    wanted = {name: value for name, value in parameters.items() if f":{name}" in sql}
    rows: list[Row] = list(await tx.fetch(f"explain {'query plan ' if engine == 'sqlite' else ''}{sql}", **wanted))
    return "\n".join(str(row["detail"] if engine == "sqlite" else row[0]) for row in rows)


@pytest.mark.parametrize("windows", [1, 3])
@pytest.mark.parametrize("question", QUESTIONS)
async def test_no_query_scans_all_events(db: Database, question: str, windows: int) -> None:
    """No query scans a whole table although the test tables are small: PostgreSQL is told to avoid scans, and SQLite
    does not know the size.
    """
    query, index = QUESTIONS[question]
    sql = query if isinstance(query, str) else query(windows)
    async with db.transaction() as tx:
        me = await person(tx, "Ana")
        if db.engine == "postgresql":
            # All indexes of an empty table cost the same, so add some answers and co-hosts.
            event = await event_by(tx, me)
            for number in range(30):
                guest = await person(tx, f"Guest {number}")
                await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
                await co_host_queries.put(tx, accepted_co_host(tx, event, guest.user_id, by=me.user_id))
            await tx.execute("analyze attendances")
            await tx.execute("analyze event_co_hosts")
            await tx.execute("set local enable_seqscan = off")
        parameters = {
            "user_id": me.user_id,
            "start": tx.now,
            "end": tx.now + 31 * DAY,
            "earliest": tx.now - WIDEST,
            "ids": ["a", "b"],
            "only_busy": 0,
            "only_shown": 1,
            **{f"start{n}": tx.now + 10 * n * DAY for n in range(windows)},
            **{f"end{n}": tx.now + (10 * n + 1) * DAY for n in range(windows)},
        }
        plan = await plan_of(tx, db.engine, sql, parameters)
    assert re.search(index[db.engine], plan)
    walked = (
        "Seq Scan on events",
        "Seq Scan on attendances",
        "Seq Scan on event_co_hosts",
        "Seq Scan on subscribed_dates",
        "SCAN e",
        "SCAN attendances",
        "SCAN h",
        "SCAN d",
    )
    assert [one for one in plan.splitlines() if one.strip().startswith(walked)] == []
