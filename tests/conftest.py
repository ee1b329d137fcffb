"""Configuration of all tests: the event loop, shared fixtures, and the closing list of missing dependencies."""

import functools
import gc
import os
import ssl
import sys
from typing import Any

import httpx
import httpx._config
import httpx._transports.default
import pytest
import starlette.routing
import structlog

from tests import fork_server, hypothesis_profiles
from tests.compiled_templates import keep_compiled_templates
from tests.external_dependencies import DEPENDENCIES, is_available, is_required
from tests.timeouts import TIMEOUT_SECONDS

hypothesis_profiles.register_profiles()

# Collect garbage less often: looking for cycles among a million objects of imported modules took a tenth of all
# processor time.
gc.set_threshold(50_000, 10, 10)

# The default of five seconds measures the machine rather than the code. No source uses this library, so the setting
# affects only the tests.
for _part in ("connect", "read", "write", "pool"):
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, _part, TIMEOUT_SECONDS)

_create_context = httpx._config.create_ssl_context


def _context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
    """Share the default context: for each client, httpx would read the certificate authorities again, which takes
    longer than most requests. No test changes this context.
    """
    if verify is not True or cert is not None:
        return _create_context(verify, cert, trust_env)
    return _default_context(trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.cache
def _default_context(trust_env: bool, _file: str | None, _folder: str | None) -> ssl.SSLContext:
    return _create_context(trust_env=trust_env)


httpx._transports.default.create_ssl_context = _context  # type: ignore[attr-defined]  # private

# httpx checks before every request whether it runs under trio, and each time Python searches the whole path for the
# missing module.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]  # how Python notes that there is none

keep_compiled_templates()
# Every server of a test has hundreds of routes, and their paths are the same each time.
starlette.routing.compile_path = functools.cache(starlette.routing.compile_path)

pytest_plugins = [
    "tests.reused_connections",
    "tests.databases",
    "tests.added_migrations",
    "tests.s3_buckets",
    "tests.passwords",
    "tests.sleep_detector",
]


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, object]]:
    # imported here because pytest rewrites the assertions of the plugins that it imports
    from tests.reused_connections import LOOPS

    return "asyncio", {"loop_factory": LOOPS.new}


@pytest.fixture(scope="session", autouse=True)
def first_property() -> None:
    hypothesis_profiles.run_one_property()


def pytest_sessionstart(session: pytest.Session) -> None:
    """With ``CI=true``, fail at once if a dependency that the Makefile requires is missing, instead of failing fifty
    tests.
    """
    if hasattr(session.config, "workerinput"):
        return
    missing = [name for name in DEPENDENCIES if is_required(name) and not is_available(name)]
    if missing:
        pytest.exit("CI requires missing dependencies: " + ", ".join(missing), returncode=1)


def _log_plainly() -> None:
    """Configure structlog as by default, but print tracebacks without local variables: printing those of a simulation
    takes minutes.
    """
    structlog.reset_defaults()
    *steps, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*steps, plain])


def pytest_configure() -> None:
    fork_server.is_enabled = True
    _log_plainly()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Reset the log configuration: a program that the test ran in this process may have configured logs for a stream
    that ends with the test.
    """
    _log_plainly()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = [name for name in DEPENDENCIES if not is_available(name)]
    if missing and not os.environ.get("PYTEST_XDIST_WORKER"):
        terminalreporter.section("skipped tests need these dependencies")
        for name in missing:
            terminalreporter.write_line(f"{DEPENDENCIES[name].description}: {DEPENDENCIES[name].install_hint}")
