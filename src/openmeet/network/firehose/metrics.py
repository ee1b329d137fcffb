"""Counters of the consumer, as listed in ``docs/metrics.md``."""

from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from groundwork.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class FirehoseMetrics:
    """Counters of one program."""

    frames_looked_at: Counter
    frames_rejected: Counter
    frames_dropped: Counter
    repositories_unresolved: Gauge
    repositories_forgotten: Counter
    messages_enqueued: Counter
    messages_repeated: Counter
    cursor: Gauge


def counting(metrics: Metrics) -> FirehoseMetrics:
    """Register the counters of the consumer, once per program."""
    return FirehoseMetrics(
        metrics.counter("firehose_frames", "Frames received"),
        metrics.counter("firehose_frames_rejected", "Invalid frames, kept for inspection"),
        metrics.counter("firehose_frames_dropped", "Frames dropped because their repository will be read later"),
        metrics.gauge("firehose_repositories_unresolved", "Repositories to read once their identity can be resolved"),
        metrics.counter(
            "firehose_repositories_forgotten", "Repositories evicted before their identity could be resolved"
        ),
        metrics.counter("firehose_messages", "Messages passed to ingestion"),
        metrics.counter(
            "firehose_messages_repeated", "Messages skipped because another source had already delivered them"
        ),
        metrics.gauge("firehose_cursor", "Sequence number up to which all messages are confirmed", ["source"]),
    )
