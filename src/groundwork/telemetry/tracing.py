"""Tracing by subject: a log line at each step, and a span if OpenTelemetry is installed (extra ``otel``).

A traced subject (an RSVP, an event) has a UUID, which is in each of its log lines as ``subject``. The sixteen bytes of
the UUID are also the trace id. A page, a publisher and a processor behind a broker therefore write to the same trace,
without passing a context through the outbox, another server and the firehose. OpenTelemetry's own variables configure
the export (``opentelemetry-instrument openmeet web``).
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from groundwork.telemetry.logs import log

try:
    from opentelemetry import propagate, trace
except ImportError:
    _is_here = False
else:
    _is_here = True

_NAME = "openmeet"


def trace_id_of(subject: str) -> int:
    """Return a UUID's bytes, or for any other name the first sixteen bytes of its SHA-256."""
    try:
        return uuid.UUID(subject).int
    except ValueError:
        return int.from_bytes(hashlib.sha256(subject.encode()).digest()[:16])


@contextmanager
def step(name: str, subject: str, **attributes: str) -> Iterator[None]:
    """Open a span in a subject's trace. Does nothing if OpenTelemetry is not installed."""
    if not _is_here:
        yield
        return
    trace_id = trace_id_of(subject)
    # The common parent of all steps. It has no span of its own, because no process runs from the first step to the
    # last.
    root = trace.SpanContext(
        trace_id, trace_id & (1 << 64) - 1 or 1, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED)
    )
    context = trace.set_span_in_context(trace.NonRecordingSpan(root))
    with trace.get_tracer(_NAME).start_as_current_span(name, context=context, attributes=attributes):
        yield


def note(event: str, subject: str, **fields: object) -> None:
    """Record an event of a subject: a log line, and a span without duration."""
    with step(event, subject, **{name: str(value) for name, value in fields.items() if value is not None}):
        log.info(event, subject=subject, **fields)


def request_headers() -> Mapping[str, str]:
    """Return the ``traceparent`` header of the current step (W3C Trace Context). Empty outside of a step."""
    if not _is_here or not trace.get_current_span().get_span_context().is_valid:
        return {}
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier
