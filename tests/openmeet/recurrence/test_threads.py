"""Patterns are expanded on several threads at once: pages, the writer thread of SQLite, and worker threads."""

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from cachetools import LRUCache

from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import instant_of

THREADS = 8
PATTERNS = [
    pattern(datetime(2026, 1, day, 18), "Europe/Berlin", parse_rule("FREQ=MONTHLY"))  # noqa: DTZ001  # wall time
    for day in range(1, 29)
]
WINDOW = [instant_of(datetime(year, 1, 1), "UTC") for year in (2026, 2029)]  # noqa: DTZ001  # read in UTC


@pytest.fixture
def switches_often() -> Iterator[None]:
    """Threads take turns after nearly every step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switches_often")
def test_threads_share_full_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entry evicts another one, and no thread fails because of what another thread evicts."""
    expected = [expansion.between(one, *WINDOW) for one in PATTERNS]
    monkeypatch.setattr(expansion, "_kept", LRUCache(40, getsizeof=lambda kept: len(kept) + 1))
    monkeypatch.setattr(expansion, "_tokens", LRUCache(40, getsizeof=lambda known: known[1]))

    def expand(seed: int) -> None:
        for number in random.Random(seed).choices(range(len(PATTERNS)), k=200):
            assert expansion.between(PATTERNS[number], *WINDOW) == expected[number]

    with ThreadPoolExecutor(THREADS) as pool:
        for one in [pool.submit(expand, seed) for seed in range(THREADS)]:
            one.result()
