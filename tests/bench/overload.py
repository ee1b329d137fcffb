"""The front page while the installation is attacked in every way at once, compared with the same page before that."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx

from tests.attack.attackers import Report, attacked
from tests.attack.overload import SHORT, aim, installation
from tests.bench.figure import Figure, check
from tests.bench.loop import run
from tests.bench.timing import progress
from tests.timeouts import TIMEOUT_SECONDS

ROUNDS: Final = 40
WARM_UP: Final = 10


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        idle, under_attack = run(_measure(Path(folder)))
    note = "attackers on the same machine"
    yield Figure("front page, no other clients, median", idle * 1000, "ms", less_is_better=True)
    yield Figure("front page under attack, median", under_attack * 1000, "ms", less_is_better=True, note=note)
    yield Figure("  the second as a multiple of the first", under_attack / idle, "×", less_is_better=True)


async def _measure(folder: Path) -> tuple[float, float]:
    progress("starting an installation")
    async with installation(folder, SHORT) as running:
        target, report = await aim(running), Report()
        await _seconds(running.openmeet_url, WARM_UP)
        idle = await _seconds(running.openmeet_url, ROUNDS)
        progress("attacking it")
        async with attacked(target, SHORT.pressure, report):
            await _seconds(running.openmeet_url, WARM_UP)
            under_attack = await _seconds(running.openmeet_url, ROUNDS)
        check(report.attacks.total() > 0, "no attack was made")
    return idle, under_attack


async def _seconds(url: str, count: int) -> float:
    """The median duration of a number of requests, each on a new connection, like the requests of first-time visitors."""
    found = []
    for _ in range(count):
        begun = time.perf_counter()
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
            answer = await http.get(url)
        found.append(time.perf_counter() - begun)
        check(answer.status_code == 200, f"the front page was answered with {answer.status_code}")
    return statistics.median(found)
