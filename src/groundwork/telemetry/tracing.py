"""What is followed from place to place: a log line at each, and a span where OpenTelemetry is installed (extra ``otel``).

Whatever is followed has an id of its own (of an answer, an event: a UUID), which stands in each log line of it as ``subject``. The
same sixteen bytes are the id of its trace. So a page, a publisher and a processor behind a broker, which never meet, write into one
trace, and nothing has to be handed through the outbox, another person's server and the firehose. Where spans go to is the
operator's affair, by OpenTelemetry's own variables (``opentelemetry-instrument openmeet web``).
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
    """A UUID's own bytes; of any other name the first sixteen of its SHA-256."""
    try:
        return uuid.UUID(subject).int
    except ValueError:
        return int.from_bytes(hashlib.sha256(subject.encode()).digest()[:16])


@contextmanager
def step(name: str, subject: str, **attributes: str) -> Iterator[None]:
    """A span of what is followed; nothing where OpenTelemetry is not installed."""
    if not _is_here:
        yield
        return
    trace_id = trace_id_of(subject)
    # The end that all steps hang on: it has no span of its own, because nobody is there from the first to the last.
    root = trace.SpanContext(
        trace_id, trace_id & (1 << 64) - 1 or 1, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED)
    )
    context = trace.set_span_in_context(trace.NonRecordingSpan(root))
    with trace.get_tracer(_NAME).start_as_current_span(name, context=context, attributes=attributes):
        yield


def note(event: str, subject: str, **fields: object) -> None:
    """Something happened to what is followed: a log line, and a span without length."""
    with step(event, subject, **{name: str(value) for name, value in fields.items() if value is not None}):
        log.info(event, subject=subject, **fields)


def request_headers() -> Mapping[str, str]:
    """What tells the other side of which step a request is part (``traceparent``, W3C Trace Context); none outside of any."""
    if not _is_here or not trace.get_current_span().get_span_context().is_valid:
        return {}
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier
