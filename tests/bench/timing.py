"""Durations of computations: processor time, which a busy machine changes little, and medians of several rounds.

Our rounds alternate with those of a peer, so that both run under the same load. For work that waits (for a disk, a
socket, another process), the caller measures wall-clock time.
"""

import statistics
import sys
from collections.abc import Callable
from time import process_time

Work = Callable[[], object]

# A median of five is not affected if other processes disturb two rounds.
ROUNDS = 5
SECONDS = 1.0


def rates(*works: Work, seconds: float = SECONDS) -> list[float]:
    """Calls per second of each function, measured for about ``seconds`` each. A call that takes longer runs once."""
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
    """Seconds that one call took, and its result."""
    begun = process_time()
    value = work()
    return process_time() - begun, value


def percentile(samples: list[float], share: float) -> float:
    """The percentile of the samples for this share (0.99: all but one in a hundred are below)."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def progress(what: str) -> None:
    """Show progress on standard error, which keeps it out of the output."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K  … {what}", end="", file=sys.stderr, flush=True)
    else:
        print(f"  … {what}", file=sys.stderr, flush=True)


def progress_done() -> None:
    """Erase the last progress message."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _calls_in(seconds: float, work: Work) -> int:
    """How many calls fill the time. The trial calls also warm the caches."""
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
