"""Metrics of one program. Names are ``<prefix>_<noun>_<unit>``; labels come from closed sets only.

Each program has its own registry, so that several programs in one process do not mix. Within a program, the module that
measures a metric declares it. Repeated declarations (one per tenant) return the same metric. ``docs/metrics.md`` lists
the names, and a test compares it with the registry.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

M = TypeVar("M", Counter, Gauge, Histogram)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# From half a millisecond (a cached page) to ten seconds (the total timeout of calls to other servers).
SECONDS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One program's registry. Every name starts with ``prefix`` (``openmeet``)."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.registry = CollectorRegistry()
        self._declared: dict[str, tuple[object, Counter | Gauge | Histogram]] = {}
        ProcessCollector(registry=self.registry)

    def _name(self, name: str) -> str:
        return f"{self.prefix}_{name}"

    def _once(
        self, kind: type[M], name: str, description: str, labels: Sequence[str], buckets: Sequence[float] | None = None
    ) -> M:
        """Return the metric with this name, created at its first declaration. Raises ValueError if it was declared
        differently.
        """
        declaration = (kind, description, tuple(labels), None if buckets is None else tuple(buckets))
        if name not in self._declared:
            extra: dict[str, Any] = {} if buckets is None else {"buckets": buckets}
            self._declared[name] = (declaration, kind(name, description, labels, registry=self.registry, **extra))
        declared_class, metric = self._declared[name]
        if declared_class != declaration or not isinstance(metric, kind):
            raise ValueError(f"{name} is declared in two ways: {declared_class} and {declaration}")
        return metric

    def counter(self, name: str, description: str, labels: Sequence[str] = ()) -> Counter:
        """Declare a number that only increases. The exposition adds ``_total`` to its name."""
        return self._once(Counter, self._name(name), description, labels)

    def counter_called(self, name: str, description: str, labels: Sequence[str] = ()) -> Counter:
        """Declare a counter whose full name is prescribed (``docs/decisions``)."""
        return self._once(Counter, name, description, labels)

    def gauge(self, name: str, description: str, labels: Sequence[str] = ()) -> Gauge:
        """Declare a number that goes up and down, such as a queue length or a lag."""
        return self._once(Gauge, self._name(name), description, labels)

    def gauge_of(self, name: str, description: str, read: Callable[[], float]) -> Gauge:
        """Declare a gauge that is computed when it is read."""
        gauge = Gauge(self._name(name), description, registry=self.registry)
        gauge.set_function(read)
        return gauge

    def histogram(
        self, name: str, description: str, labels: Sequence[str] = (), buckets: Sequence[float] = SECONDS_BUCKETS
    ) -> Histogram:
        """Declare a distribution, in seconds unless the buckets say otherwise."""
        return self._once(Histogram, self._name(name), description, labels, buckets=buckets)

    def exposition(self) -> bytes:
        """Return the metrics as text, as ``/metrics`` serves it."""
        return generate_latest(self.registry)


def stopwatch() -> Callable[[], float]:
    """Start measuring. Calling the result returns the elapsed seconds (monotonic clock)."""
    started = time.perf_counter()
    return lambda: time.perf_counter() - started
