"""Log lines as an operator's collector reads them."""

import errno
import io
import json
import logging
from pathlib import Path

import aiohttp
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import Unavailable
from groundwork.http.application import Application
from groundwork.http.server import serving
from groundwork.telemetry.logs import LogFormat, configure, log, request_id
from groundwork.telemetry.metrics import Metrics


@pytest.fixture
def log_output():
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:]
    yield stream
    root.handlers[:] = before
    structlog.reset_defaults()


def lines(log_output):
    return [json.loads(text) for text in log_output.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_the_request_id(log_output):
    configure(LogFormat.JSON, stream=log_output)
    token = request_id.set("r-1")
    log.info("record.published", uri="at://did:plc:a/b/c", attempt=2)
    request_id.reset(token)
    log.info("record.published")
    first, second = lines(log_output)
    assert first.pop("at").endswith("Z")
    assert first == {
        "event": "record.published",
        "level": "info",
        "request_id": "r-1",
        "uri": "at://did:plc:a/b/c",
        "attempt": 2,
    }
    assert "request_id" not in second


def test_secrets_are_redacted_in_lines_and_tracebacks(log_output):
    configure(LogFormat.JSON, stream=log_output)
    try:
        int("ana@example.org")
    except ValueError as error:
        log.error("mail.failed", to="ana@example.org", access_token="abc", exc_info=error)
    assert "ana@example.org" not in log_output.getvalue()
    assert "abc" not in log_output.getvalue()
    assert "Traceback" in lines(log_output)[0]["exception"]


def test_libraries_log_in_the_same_format(log_output):
    configure(LogFormat.JSON, stream=log_output)
    configure(LogFormat.JSON, stream=log_output)  # configuring again must not duplicate lines
    logging.getLogger("uvicorn.error").warning("hello %s", "ana@example.org")
    (line,) = lines(log_output)
    assert (line["event"], line["library"]) == ("library.said", "uvicorn.error")
    assert "ana@" not in line["message"]


def test_repeated_library_messages_are_limited(log_output):
    """Repeated library messages are limited, so that nobody can fill a disk by causing them. Other messages are logged,
    and so are those of the next minute.
    """
    configure(LogFormat.JSON, stream=log_output)
    handler = next(one for one in logging.getLogger().handlers if type(one).__name__ == "_FromStandardLibrary")

    def say(message: str, at: float) -> None:
        record = logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, message, None, None)
        record.created = at
        handler.handle(record)

    for number in range(1_000):
        say("Invalid HTTP request received.", 100 + number / 1_000)
    assert len(lines(log_output)) == 5
    say("Something else.", 101)
    assert lines(log_output)[-1]["message"] == "Something else."
    say("Invalid HTTP request received.", 161)
    assert lines(log_output)[-1]["unsaid"] == 995
    # No state is kept for texts that differ each time.
    for number in range(1_000):
        say(f"Something else {number}.", 162)
    assert len(lines(log_output)) == 1_007


def test_the_level_is_respected(log_output):
    configure(LogFormat.JSON, level="warning", stream=log_output)
    log.info("quiet.kept")
    log.warning("loud.said")
    assert [line["event"] for line in lines(log_output)] == ["loud.said"]


def test_console_format_is_readable(log_output):
    configure(LogFormat.CONSOLE, stream=log_output)
    log.info("server.started", port=80, password="hunter2")
    assert "server.started" in log_output.getvalue()
    assert "hunter2" not in log_output.getvalue()


def test_full_log_disk_fails_no_caller():
    """If the disk of the log is full, callers continue, including a library that reports its own failure."""
    with Path("/dev/full").open("w", buffering=1) as full:
        configure(LogFormat.JSON, stream=full)
        log.info("request.answered", status=200)
        logging.getLogger("uvicorn.error").warning("hello")
        # The rest of the buffer is written when the file is closed.
        with pytest.raises(OSError, match="No space left"):
            full.close()


async def test_log_names_the_cause_of_an_unavailable_part(log_output):
    """The operator can see that the disk is full. Clients get only the sentence."""

    async def full(_request: Request) -> Response:
        raise Unavailable("The store is away.") from OSError(errno.ENOSPC, "No space left on device")

    app = Application([Route("/", full)], Metrics("test"))
    configure(LogFormat.JSON, stream=log_output)
    async with serving(app) as server, aiohttp.ClientSession() as session, session.get(server.url) as response:
        assert "No space" not in await response.text()
    (line,) = [line for line in lines(log_output) if line["event"] == "request.failed"]
    assert line["cause"] == "OSError: [Errno 28] No space left on device"


def test_a_warning_of_a_library_is_one_line_without_a_traceback(log_output):
    """The library handles what it warns of: while PostgreSQL restarts, asyncpg warns of each attempt to connect."""
    configure(LogFormat.JSON, stream=log_output)
    failure = ConnectionRefusedError("nobody listens")
    logging.getLogger("asyncpg").warning("retrying", exc_info=failure)
    logging.getLogger("asyncpg").error("given up", exc_info=failure)
    warned, failed = lines(log_output)
    assert ("nobody listens" in warned["error"], "exception" in warned) == (True, False)
    assert "nobody listens" in failed["exception"]
