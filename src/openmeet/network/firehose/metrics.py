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


def firehose_metrics(metrics: Metrics) -> FirehoseMetrics:
    """Register the counters of the consumer, once per program."""
    return FirehoseMetrics(
        frames_looked_at=metrics.counter("firehose_frames", "Frames received"),
        frames_rejected=metrics.counter("firehose_frames_rejected", "Invalid frames, kept for inspection"),
        frames_dropped=metrics.counter(
            "firehose_frames_dropped", "Frames dropped because their repository will be read later"
        ),
        repositories_unresolved=metrics.gauge(
            "firehose_repositories_unresolved", "Repositories to read once their identity can be resolved"
        ),
        repositories_forgotten=metrics.counter(
            "firehose_repositories_forgotten", "Repositories evicted before their identity could be resolved"
        ),
        messages_enqueued=metrics.counter("firehose_messages", "Messages passed to ingestion"),
        messages_repeated=metrics.counter(
            "firehose_messages_repeated", "Messages skipped because another source had already delivered them"
        ),
        cursor=metrics.gauge("firehose_cursor", "Sequence number up to which all messages are confirmed", ["source"]),
    )
