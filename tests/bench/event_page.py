"""The page of an event with very many answers, compared with the page of an event without any in the same database and
run.
"""

import asyncio
import sqlite3
import statistics
from collections.abc import Iterator
from contextlib import closing
from time import process_time
from typing import Final

import httpx

from groundwork.clock import SystemClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from tests.bench import stores
from tests.bench.figure import Figure, check
from tests.bench.loop import run
from tests.bench.timing import progress
from tests.openmeet.site_under_test import event_by, site_on

ANSWERS: Final = 20_000
ROUNDS: Final = 60
WARM_UP: Final = 5
AT_MOST: Final = 1.5

# Copies of an answer that the real code made: most people attend; the others are on the waitlist, are interested or
# have declined.
_STATUS: Final = "case when n.i % 10 < 6 then 'attending' when n.i % 10 < 8 then 'interested' else 'declined' end"


def measure() -> Iterator[Figure]:
    with_answers, without = run(_measure())
    name = f"event page, processor time, {ANSWERS:,} answers"
    yield Figure("event page, processor time, no answers", without * 1000, "ms", less_is_better=True)
    yield Figure(name, with_answers * 1000, "ms", less_is_better=True)
    yield Figure("  the second as a multiple of the first", with_answers / without, "×", AT_MOST, less_is_better=True)


async def _measure() -> tuple[float, float]:
    progress(f"writing {ANSWERS} answers")
    async with stores.on_sqlite() as db:
        crowded, empty = await _events(db)
        async with site_on(db, SystemClock(), pages_per_minute=0).browser() as browser:
            await _times(browser, f"/events/{crowded}", WARM_UP)
            await _times(browser, f"/events/{empty}", WARM_UP)
            page = (await browser.get(f"/events/{crowded}")).text
            check("12,000" in page or "12000" in page, "the page does not show how many people attend")
            many: list[float] = []
            none: list[float] = []
            for _ in range(ROUNDS // 10):
                many += await _times(browser, f"/events/{crowded}", 10)
                none += await _times(browser, f"/events/{empty}", 10)
    return statistics.median(many), statistics.median(none)


async def _times(browser: httpx.AsyncClient, path: str, count: int) -> list[float]:
    found = []
    for _ in range(count):
        begun = process_time()
        answer = await browser.get(path)
        found.append(process_time() - begun)
        check(answer.status_code == 200, f"{path} was answered with {answer.status_code}")
        await asyncio.sleep(0)
    return found


async def _events(db: Database) -> tuple[str, str]:
    """Slugs of an event with ``ANSWERS`` answers and of one without any."""
    async with db.transaction() as tx:
        host = Caller(await users.create_person(tx, display_name="Ana"), "Ana")
        guest = Caller(await users.create_person(tx, display_name="Ben"), "Ben")
        times = {"starts": "2096-07-04T18:00", "ends": "2096-07-04T20:00"}
        crowded, empty = await event_by(tx, host, **times), await event_by(tx, host, **times)
        await attendance.answer(tx, guest, crowded.slug, RsvpReply.GOING)
        (place,) = await tx.fetch("pragma database_list")
    with closing(sqlite3.connect(place["file"])) as connection:
        copies = {"users": {"id": "'u' || n.i", "email": "null"}}
        copies["attendances"] = {
            "id": "'a' || n.i", "user_id": "'u' || n.i", "status": _STATUS, "record_uri": "null",
        }  # fmt: skip
        for table, changed in copies.items():
            columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
            selected = ", ".join(changed.get(column, f"o.{column}") for column in columns)
            one = f"id = '{guest.user_id}'" if table == "users" else "id = (select min(id) from attendances)"
            connection.execute(
                f"insert into {table} ({', '.join(columns)})"
                f" with recursive n(i) as (select 1 union all select i + 1 from n where i < {ANSWERS - 1})"
                f" select {selected} from n, (select * from {table} where {one}) o"
            )
        connection.execute("analyze")
        connection.commit()
    return crowded.slug, empty.slug
