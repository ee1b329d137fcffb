"""Publish a backlog of records to a PDS with its usual limits: how long it takes, and how often the PDS asks us to
wait.

Ten thousand events are more than the PDS accepts from five accounts in an hour. The clock is moved to the time at which
the next one is due, so that hours pass in a moment. The benchmark measures the work and the number of "too many
requests" responses.
"""

import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from aurora_locus.accounts import limits
from groundwork.clock import HOUR, MINUTE, HandClock, Instant
from groundwork.http.client import HttpClient, HttpResponse
from groundwork.telemetry.logs import LogFormat, configure
from openmeet.domain.events import actions as events
from tests.bench.figure import Figure, check
from tests.bench.loop import run
from tests.bench.timing import progress
from tests.databases import SqliteFiles
from tests.openmeet.deployment import Deployment, details, open_deployment

PEOPLE: Final = 5
EVENTS_EACH: Final = 2_000
# The events of the tests are after this day.
START: Final = Instant(1_772_366_400_000_000)
BY_STATE: Final = "select state, count(*) as number, min(due_at) as due_at from publications group by state"


def measure() -> Iterator[Figure]:
    # In development, a thousand times as much may be written.
    limits._DEVELOPMENT_FACTOR = 1
    configure(LogFormat.JSON, level="critical")
    seconds, hours, answers = run(_drained())
    records = PEOPLE * EVENTS_EACH
    yield Figure(
        f"backlog of {records:,} records written to a PDS",
        records / seconds,
        "records/s",
        note=f"{hours:.1f} hours on the clock, {answers.total():,} requests",
    )
    # A client that is refused once knows how long to wait, so each account is refused once an hour.
    most = PEOPLE * (int(hours) + 1)
    yield Figure("responses with status 429", answers[429], "", most, less_is_better=True)


async def _drained() -> tuple[float, float, Counter[int]]:
    """Seconds, hours on the clock, and the responses to our requests by status."""
    clock = HandClock(START)
    async with _deployment(clock) as deployment:
        progress(f"{PEOPLE * EVENTS_EACH:,} events of {PEOPLE} people")
        for number in range(PEOPLE):
            host = await deployment.connected(f"host{number}")
            for first in range(0, EVENTS_EACH, 50):
                async with deployment.db.transaction() as tx:
                    for place in range(first, first + 50):
                        await events.create(tx, host, details(title=f"Evening {number} {place}"))
        answers: Counter[int] = Counter()
        request = HttpClient.request

        async def counted(self: HttpClient, method: str, url: str, **more: Any) -> HttpResponse:
            answer = await request(self, method, url, **more)
            answers[answer.status] += 1
            return answer

        HttpClient.request = counted  # type: ignore[method-assign]
        progress("writing them")
        began = perf_counter()
        try:
            await _drain(deployment, clock)
        finally:
            HttpClient.request = request  # type: ignore[method-assign]
        return perf_counter() - began, (clock.now() - START) / HOUR, answers


async def _drain(deployment: Deployment, clock: HandClock) -> None:
    while True:
        while await deployment.deliver_publications():
            pass
        async with deployment.db.reader() as reader:
            by_state = {row["state"]: row for row in await reader.fetch(BY_STATE)}
        waiting = [int(row["due_at"]) for state, row in by_state.items() if state != "published"]
        if not waiting:
            return
        check(set(by_state) <= {"published", "due", "retrying"}, f"publications are {sorted(by_state)}")
        check(clock.now() - START < 24 * HOUR, "a day was not enough")
        clock.turn(max(min(waiting) - clock.now(), MINUTE))


@asynccontextmanager
async def _deployment(clock: HandClock) -> AsyncIterator[Deployment]:
    """A small network in this process, on SQLite."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="openmeet-bench-")))
        (folder / "templates").mkdir()
        files = SqliteFiles(folder, folder / "templates", clock)
        stack.push_async_callback(files.close)
        yield await stack.enter_async_context(open_deployment(await files("openmeet"), files, clock, folder))
