"""External programs and services that tests need: whether they are available, and what to report if not.

A test declares ``@needs("redis")``. On a developer's machine, a missing dependency skips the test and is listed once at
the end, with the command that installs it. With ``CI=true``, a missing dependency that ``OPENMEET_CI_REQUIRES`` lists
is a failure.
"""

import functools
import importlib.util
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from checks import postgres, reference, synapse

ROOT = Path(__file__).parent.parent
FIXTURES = Path(os.environ.get("OPENMEET_FIXTURES", ROOT.parent / "shared"))


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _node_is_recent() -> bool:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return int(said.lstrip("v").split(".")[0] or 0) >= 20


@dataclass(frozen=True)
class Dependency:
    """An external program or service that tests use."""

    description: str
    install_hint: str


DEPENDENCIES = {
    "postgresql": Dependency(
        "a PostgreSQL server on port 5432 (else the embedded one is used)", "apt-get install postgresql"
    ),
    "rabbitmq": Dependency("a RabbitMQ broker on port 5672", "apt-get install rabbitmq-server"),
    "redis": Dependency("a Redis server on port 6379", "apt-get install redis-server"),
    "chromium": Dependency("the Chromium browser", "apt-get install chromium"),
    "node": Dependency("Node.js 20 or newer with npm", "apt-get install nodejs npm"),
    "compiler": Dependency("a C++ compiler and make", "apt-get install build-essential"),
    "reference": Dependency("the reference PDS (requires Node.js and a C++ compiler)", "python -m checks.prepare"),
    "synapse": Dependency("the Matrix homeserver Synapse", "python -m checks.prepare"),
    "fixtures": Dependency("vectors and captured data next to the repository", "set OPENMEET_FIXTURES to their folder"),
    "strace": Dependency("strace", "apt-get install strace"),
    "curl": Dependency("curl", "apt-get install curl"),
    "nginx": Dependency("the nginx web server", "apt-get install nginx-light"),
    "caddy": Dependency("the Caddy web server", "apt-get install caddy"),
    "promtool": Dependency("promtool, which checks alert rules", "apt-get install prometheus"),
    "opentelemetry": Dependency("OpenTelemetry for Python", "make install-dev"),
}


@functools.cache
def is_available(name: str) -> bool:
    """True if this machine has the dependency; checked once per process."""
    match name:
        case "postgresql":
            return postgres.VARIABLE in os.environ or _listens(5432)
        case "rabbitmq":
            return _listens(5672)
        case "redis":
            return _listens(6379)
        case "chromium":
            return shutil.which("chromium") is not None
        case "node":
            return _node_is_recent()
        case "compiler":
            return shutil.which("g++") is not None and shutil.which("make") is not None
        case "reference":
            return reference.is_installed()
        case "synapse":
            return synapse.is_installed()
        case "fixtures":
            return (FIXTURES / "vectors").is_dir()
        case "strace":
            return shutil.which("strace") is not None
        case "curl" | "caddy" | "promtool":
            return shutil.which(name) is not None
        case "opentelemetry":
            return all(importlib.util.find_spec(name) for name in ("opentelemetry", "opentelemetry.sdk"))
        case "nginx":
            return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None
        case _:
            raise KeyError(name)


def is_required(name: str) -> bool:
    """True if a missing dependency fails the run on this machine (the Makefile has the list)."""
    return os.environ.get("CI") == "true" and name in os.environ.get("OPENMEET_CI_REQUIRES", "").split()


def needs(*names: str) -> pytest.MarkDecorator:
    """Skip the test if a dependency is missing, and report it in the closing list."""
    missing = [name for name in names if not is_available(name)]
    return pytest.mark.skipif(
        bool(missing) and not any(is_required(name) for name in missing),
        reason="missing dependency: "
        + ", ".join(f"{DEPENDENCIES[name].description} ({DEPENDENCIES[name].install_hint})" for name in missing),
    )


def fixture_path(relative: str) -> Path:
    """The path of a file or folder of the fixtures outside the repository; read in place, never copied."""
    return FIXTURES / relative


def fixture_lines(relative: str) -> list[tuple[int, str]]:
    """The cases of a text file with their line numbers. Spaces are significant; lines that are empty or start with
    ``#`` are left out.
    """
    path = fixture_path(relative)
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
