"""How records fared on their way in and out: counted by both directions under one name."""

from enum import StrEnum

from prometheus_client import Counter

from groundwork.telemetry.metrics import Metrics


class Result(StrEnum):
    """How one piece of work ended; the label of a metric. What is tried again later is ``retried``."""

    SUCCESS = "success"
    RETRIED = "retried"
    FAILED = "failed"


def results_of(metrics: Metrics) -> Counter:
    """Registered once per program."""
    return metrics.counter(
        "sync_results", "Records on their way in and out, by how that ended", ["direction", "kind", "result"]
    )
