"""How long computing takes: processor time, so that a busy machine changes little, and medians of rounds.

Ours and a peer's rounds alternate, so that both see the same machine. What waits (for a disk, a socket, another process) is
measured by the wall clock, by whoever measures it.
"""

import statistics
import sys
from collections.abc import Callable
from time import process_time

Work = Callable[[], object]

# A median of five forgives two rounds that a neighbour disturbed.
ROUNDS = 5
SECONDS = 1.0


def rates(*works: Work, seconds: float = SECONDS) -> list[float]:
    """Calls per second of each, measured for about ``seconds`` each; a call that takes longer runs once."""
    counts = [_calls_in(seconds / ROUNDS, work) for work in works]
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS if max(counts) > 1 else 1):
        for work, count, times in zip(works, counts, taken, strict=True):
            times.append(_time(work, count))
    return [count / statistics.median(times) for count, times in zip(counts, taken, strict=True)]


def rate(work: Work, *, seconds: float = SECONDS) -> float:
    """Calls per second."""
    return rates(work, seconds=seconds)[0]


def timed(work: Work) -> tuple[float, object]:
    """Seconds of one call, and what it returned."""
    begun = process_time()
    value = work()
    return process_time() - begun, value


def percentile(samples: list[float], share: float) -> float:
    """The sample below which this share of all lies (0.99: all but one in a hundred)."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def progress(what: str) -> None:
    """Tell a waiting person what is going on; on the error stream, so that output stays data."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K  … {what}", end="", file=sys.stderr, flush=True)
    else:
        print(f"  … {what}", file=sys.stderr, flush=True)


def progress_done() -> None:
    """Take the last word about progress away."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _calls_in(seconds: float, work: Work) -> int:
    """How many calls fill the time; the calls made to find out warm caches."""
    count = 1
    while True:
        took = _time(work, count)
        if took >= seconds / 4:
            return max(1, round(count * seconds / took))
        count *= 4


def _time(work: Work, count: int) -> float:
    begun = process_time()
    for _ in range(count):
        work()
    return process_time() - begun
