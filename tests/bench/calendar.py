"""The calendar month of a person with 500 events, and searches, with 100,000 events on SQLite and a million on
PostgreSQL.
"""

from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import Final

from groundwork.clock import DAY, MINUTE, Instant, SystemClock
from groundwork.database.transaction import Database
from openmeet.domain.calendars.entries import all_of, conflicts
from openmeet.domain.calendars.model import Span
from openmeet.domain.users.model import UserId
from tests.bench import crowd, search
from tests.bench.crowd import CROWDED, MINE, START, Crowd
from tests.bench.figure import Figure
from tests.bench.figure import check as holds
from tests.bench.loop import run
from tests.bench.timing import percentile, progress
from tests.external_dependencies import is_available
from tests.openmeet.site_under_test import signed_in, site_on

ROUNDS: Final = 300
WARM_UP: Final = 20
CALENDAR_MS: Final = 20
SEARCH_MS: Final = 50
HOME_MS: Final = 50
MONTH: Final = 31 * DAY


def measure() -> Iterator[Figure]:
    progress("100,000 events on SQLite")
    yield from run(_on_sqlite())
    if is_available("postgresql"):
        progress("a million events on PostgreSQL")
        yield from run(_on_postgresql())


async def _on_sqlite() -> list[Figure]:
    async with crowd.on_sqlite() as there:
        return await _figures("100,000 events, SQLite", there)


async def _on_postgresql() -> list[Figure]:
    async with crowd.on_postgresql() as there:
        return await _figures("1,000,000 events, PostgreSQL", there)


async def _figures(where: str, there: Crowd) -> list[Figure]:
    def figures(found: Mapping[str, float], target: int) -> list[Figure]:
        return [
            Figure(f"{what}, p99, {where}", value, "ms", target, less_is_better=True) for what, value in found.items()
        ]

    months = figures(await _measured(there.db, there.me), CALENDAR_MS)
    home = figures({"home of a person with 500 events, the whole page": await _home(there.db, there.me)}, HOME_MS)
    return months + home + figures(await search.measured(there), SEARCH_MS)


async def _measured(db: Database, me: UserId) -> dict[str, float]:
    async with db.reader() as reader:
        year = await all_of(reader, me, START, Instant(START + 366 * DAY))
    holds(len(year) == MINE, f"the person has {len(year)} events in the year, not {MINE}")
    return {
        "a month of a person with 500 events": await _p99(db, me, START, Instant(START + MONTH)),
        "a month with 500 events": await _p99(db, me, CROWDED, Instant(CROWDED + MONTH)),
        "conflicts of 12 dates": await _conflicts(db, me),
    }


async def _p99(db: Database, me: UserId, start: Instant, end: Instant) -> float:
    samples = []
    for _ in range(ROUNDS):
        begun = perf_counter()
        async with db.reader() as reader:
            found = await all_of(reader, me, start, end)
        samples.append(perf_counter() - begun)
        holds(len(found) > 20, "the month is empty")
    return percentile(samples, 0.99) * 1_000


async def _conflicts(db: Database, me: UserId) -> float:
    spans = [
        Span(Instant(START + number * 7 * DAY), Instant(START + number * 7 * DAY + 120 * MINUTE))
        for number in range(12)
    ]
    samples = []
    for _ in range(ROUNDS):
        begun = perf_counter()
        async with db.reader() as reader:
            await conflicts(reader, me, spans)
        samples.append(perf_counter() - begun)
    return percentile(samples, 0.99) * 1_000


async def _home(db: Database, me: UserId) -> float:
    samples = []
    async with signed_in(site_on(db, SystemClock(), pages_per_minute=0), me) as browser:
        for _ in range(ROUNDS):
            begun = perf_counter()
            answer = await browser.get("/home")
            samples.append(perf_counter() - begun)
            holds(answer.status_code == 200, f"home was answered with {answer.status_code}")
    return percentile(samples[WARM_UP:], 0.99) * 1_000
