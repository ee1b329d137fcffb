"""Counters of the processor, as listed in ``docs/metrics.md``."""

from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter, Histogram

from at_protocol.syntax.tid import to_microseconds
from groundwork.clock import SECOND, Instant
from groundwork.telemetry.metrics import Metrics
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records.collections import Result
from openmeet.network.records.message import Hint, RecordMessage, noun_of

# From what people perceive as instant to what an operator needs to look at.
AGE_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86_400.0)
# A message's share of its batch. Applying a record takes about a millisecond.
SHARE_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)

# The first words of routing keys. A message in a broker can have any other one, which must not become a label.
_NOUNS: Final = frozenset(
    {"event", "rsvp", "series", "group", "membership", "group_event", "other", "identity", "account"}
)

# Messages that were already applied, or already in the repository, count as neither success nor failure.
_UNCOUNTED: Final = frozenset({IngestResult.IGNORED, IngestResult.SWITCHED_OFF})


@dataclass(frozen=True, slots=True)
class IngestionMetrics:
    """Counters of one program, for one tenant."""

    tenant: str
    messages: Counter
    seconds: Histogram
    results: Counter
    processing: Histogram
    age: Histogram

    def count(self, message: RecordMessage | Hint, outcome: IngestResult, seconds: float, now: Instant) -> None:
        """Count an applied message. ``seconds``: its share of the batch's time."""
        self.messages.labels(outcome.value).inc()
        if isinstance(message, Hint):
            self.processing.labels(self.tenant, "hint", message.kind.value).observe(seconds)
            return
        source = "signed" if message.is_verified else "unsigned"
        self.processing.labels(self.tenant, source, message.operation.value).observe(seconds)
        if outcome is IngestResult.FROM_THE_FUTURE:
            return  # failed permanently, and counted there
        if outcome not in _UNCOUNTED:
            self.results.labels("ingest", noun_of(message.collection), Result.SUCCESS.value).inc()
        if outcome is IngestResult.APPLIED:
            self.age.observe(max(0.0, (now - to_microseconds(message.rev)) / SECOND))

    def result(self, routing_key: str, result: Result) -> None:
        """Count a message that was not applied."""
        noun = routing_key.partition(".")[0]
        self.results.labels("ingest", noun if noun in _NOUNS else "other", result.value).inc()

    def given_up(self, routing_key: str) -> None:
        """Count a message that became a dead letter."""
        self.messages.labels("buried").inc()
        self.result(routing_key, Result.FAILED)


def ingestion_metrics(metrics: Metrics, results: Counter, *, tenant: str = "default") -> IngestionMetrics:
    """Register the metrics of ingestion, once per program. ``results``: its counter from
    ``records.collections.results_of``.
    """
    return IngestionMetrics(
        tenant,
        metrics.counter("ingested_messages", "Messages applied, by outcome", ["outcome"]),
        metrics.histogram("ingest_batch_seconds", "Time from the lease to the acknowledgement of a batch"),
        results,
        metrics.histogram(
            "processing_seconds",
            "Time to apply one message, as its share of a batch",
            ["tenant", "source_type", "operation"],
            buckets=SHARE_BUCKETS,
        ),
        metrics.histogram(
            "commit_to_applied_seconds", "Age of a commit when its change was applied", buckets=AGE_BUCKETS
        ),
    )
