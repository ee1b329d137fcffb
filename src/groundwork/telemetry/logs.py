"""Structured log lines: ``log.info("record.published", uri=…)``. Events are ``noun.past_verb`` with fields, never
prose.

Every line has the request id of the task that wrote it, and ``redaction`` is its last step. Log records of libraries
that use the standard library appear as ``library.said``. Call ``configure`` once, in ``programs/``.
"""

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from enum import StrEnum
from typing import Any, TextIO, cast

import msgspec
import structlog

from groundwork.telemetry.redaction import redact_line

# The request id. The HTTP edge sets it per request, workers set it per message, and commands set it once. Otherwise it
# is empty.
request_id: ContextVar[str] = ContextVar("request_id", default="")

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


LEVELS = ("debug", "info", "warning", "error", "critical")


class LogFormat(StrEnum):
    """JSON for machines, console for a person in front of a terminal."""

    JSON = "json"
    CONSOLE = "console"


def _add_request_id(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    current = request_id.get()
    if current:
        line.setdefault("request_id", current)
    return line


def _to_json(line: MutableMapping[str, Any], **_options: Any) -> str:
    return msgspec.json.encode(line, enc_hook=str).decode()


# Limit of lines per library message and period, because clients decide how often a server sees an invalid request.
_SAME_LINES = 5
_SAME_SECONDS = 60.0
_MAX_DIFFERENT = 200


class _FromStandardLibrary(logging.Handler):
    """Routes log records of libraries (uvicorn, asyncio, alembic) into the same pipeline.

    A message that is repeated too often is not written but counted. Its first line after the period says how many were
    left out (``unsaid``).
    """

    def __init__(self, level: int) -> None:
        super().__init__(level)
        # Maps (logger, message) to (start of the period, count).
        self._written: dict[tuple[str, str], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        is_error = record.levelno >= logging.ERROR
        write = log.error if is_error else log.warning
        try:
            message = record.getMessage()
            exc_info = record.exc_info if is_error else None
            # Tracebacks can differ, so all of them are written.
            omitted_count = 0 if exc_info else self._count_omitted(record.name, message, record.created)
            if omitted_count is None:
                return
            further_fields: dict[str, object] = {"unsaid": omitted_count} if omitted_count else {}
            if record.exc_info and not exc_info and record.exc_info[1] is not None:
                # What a library warns of, it handles: asyncpg connects again, for example.
                further_fields["error"] = repr(record.exc_info[1])
            write("library.said", library=record.name, message=message, exc_info=exc_info, **further_fields)
        except Exception:  # noqa: BLE001  # logging must not raise into the library; handleError reports it
            self.handleError(record)

    def _count_omitted(self, library: str, message: str, at: float) -> int | None:
        """Return how many lines were left out before this one, or None if this message has reached its limit."""
        since, count = self._written.pop((library, message), (at, 0))
        is_new_window = at - since >= _SAME_SECONDS
        while len(self._written) >= _MAX_DIFFERENT:
            del self._written[next(iter(self._written))]
        self._written[library, message] = (at, 1) if is_new_window else (since, count + 1)
        if is_new_window:
            return max(0, count - _SAME_LINES)
        return 0 if count < _SAME_LINES else None


class _Lossy:
    """A stream that drops lines that it cannot write, for example on a full disk, so that logging never stops the
    program.

    The problem is not reported, because standard error would be the only place to report it.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._out.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._out.flush()


def configure(log_format: LogFormat = LogFormat.JSON, *, level: str = "info", stream: TextIO | None = None) -> None:
    """Set up logging for the process. Lines go to ``stream`` (default: standard error)."""
    out = stream or sys.stderr
    if log_format is LogFormat.JSON:
        rendering: list[Any] = [structlog.processors.format_exc_info, redact_line]
        rendering.append(structlog.processors.JSONRenderer(serializer=_to_json))
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="at")
    else:
        rendering = [structlog.processors.format_exc_info, redact_line]
        rendering.append(structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="at"))
        stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="at")
    structlog.configure(
        processors=[structlog.processors.add_log_level, stamp, _add_request_id, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Lossy(out))),
        # Caching would keep the first configuration for the whole process, including tests.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _FromStandardLibrary):
            root.removeHandler(handler)
    root.addHandler(_FromStandardLibrary(level=logging.WARNING))
