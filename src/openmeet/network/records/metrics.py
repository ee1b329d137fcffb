"""Metrics of reading and writing records: their result, and authors that cannot be resolved."""

from collections.abc import Callable
from enum import StrEnum

from prometheus_client import Counter

from groundwork.telemetry.metrics import Metrics


class SyncResult(StrEnum):
    """The result of reading or writing a record; also the label of a metric. ``retried``: it will be tried again."""

    SUCCESS = "success"
    RETRIED = "retried"
    FAILED = "failed"


# Called with the kind of a job whose DID cannot be resolved.
CountUnknownIdentity = Callable[[str], object]


def results_of(metrics: Metrics) -> Counter:
    """Register the counter of records read and written, by result. Call this once per program."""
    return metrics.counter("sync_results", "Records read and written, by result", ["direction", "kind", "result"])


def unknown_identities(metrics: Metrics) -> Counter:
    """Register the counter of unknown authors whose DID cannot be resolved. Call this once per program."""
    return metrics.counter("unknown_identities", "Jobs about DIDs that cannot be resolved, by kind", ["kind"])
