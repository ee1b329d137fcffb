"""Metrics of one program. Names are ``<prefix>_<noun>_<unit>``; labels come from closed sets only.

Each program has a registry of its own, so that several in one process do not mix. The names are listed in
``docs/metrics.md``; a test compares it with what a registry holds.
"""

import time
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# From half a millisecond (a cached page) to ten seconds (the total timeout of calls to other servers).
SECONDS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One program's registry. ``prefix`` (``openmeet``) is put before every name."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

    def _name(self, name: str) -> str:
        return f"{self.prefix}_{name}"

    def counter(self, name: str, what: str, labels: Sequence[str] = ()) -> Counter:
        """A number that only grows; the exposition ends its name in ``_total``."""
        return Counter(self._name(name), what, labels, registry=self.registry)

    def counter_called(self, name: str, what: str, labels: Sequence[str] = ()) -> Counter:
        """A counter whose whole name was given from outside (``docs/decisions``)."""
        return Counter(name, what, labels, registry=self.registry)

    def gauge(self, name: str, what: str, labels: Sequence[str] = ()) -> Gauge:
        """A number that goes up and down: what waits, how far behind."""
        return Gauge(self._name(name), what, labels, registry=self.registry)

    def gauge_of(self, name: str, what: str, read: Callable[[], float]) -> Gauge:
        """A gauge that is read when somebody looks."""
        gauge = Gauge(self._name(name), what, registry=self.registry)
        gauge.set_function(read)
        return gauge

    def histogram(
        self, name: str, what: str, labels: Sequence[str] = (), buckets: Sequence[float] = SECONDS_BUCKETS
    ) -> Histogram:
        """A distribution, of seconds unless buckets say otherwise."""
        return Histogram(self._name(name), what, labels, registry=self.registry, buckets=buckets)

    def exposition(self) -> bytes:
        """What ``/metrics`` answers."""
        return generate_latest(self.registry)


def stopwatch() -> Callable[[], float]:
    """Start measuring; calling the result says how many seconds have passed (monotonic, never a date)."""
    started = time.perf_counter()
    return lambda: time.perf_counter() - started
