"""A PostgreSQL server for one run of the tests: of the version that is installed, in memory where there is room, gone afterwards.

Nobody needs what is in it after a crash, so it never waits for a disk: making the tables of a test means more than a hundred such waits
on a server that somebody's data are on, and dropping a database makes one write all that it holds.
"""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

# What tests read: the URL of the server to use. Without it they use the one on port 5432.
VARIABLE = "OPENMEET_TEST_POSTGRES"

_DEBIAN = Path("/usr/lib/postgresql")
_START_SECONDS = 60
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "300",
    "max_wal_size": "1GB",
}
_PARENT_DIES = 1  # PR_SET_PDEATHSIG of prctl(2)


@contextlib.contextmanager
def throw_away_server(
    memory: Path | None, *, settings: Mapping[str, str] = SETTINGS, log: Path | None = None
) -> Iterator[str | None]:
    """The URL of a server that ends with the context; None where this machine has no ``initdb``, or root no user to run it as.

    ``log``: where it logs, if that is wanted afterwards.
    """
    programs, identity = server_programs(), _identity()
    if programs is None or identity is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="openmeet-postgres-", dir=memory, ignore_cleanup_errors=True) as folder:
        if "user" in identity:
            os.chown(folder, identity["user"], identity["group"])
        data = f"{folder}/data"
        options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "cwd": folder, **identity}
        if subprocess.run([programs / "initdb", "-D", data, *options], check=False, **quiet).returncode:
            print("The tests get no PostgreSQL server of their own, and use the one on port 5432.", file=sys.stderr)
            yield None
            return
        port = _free_port()
        options = [f"--{name}={value}" for name, value in {**settings, "port": str(port)}.items()]
        log = log or Path(folder, "log")
        with log.open("wb") as said:
            command: list[str | Path] = [programs / "postgres", "-D", data, *options]
            server: subprocess.Popen[bytes] = subprocess.Popen(
                command,
                stderr=said,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 — no thread runs yet
                **quiet,
            )
        try:
            problem = _wait_for(server, port, log)
            if problem:
                print(f"{problem}\nThe tests use the PostgreSQL server on port 5432.", file=sys.stderr)
            yield None if problem else f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            # At once: nothing of it is kept.
            server.send_signal(signal.SIGQUIT)
            server.wait()


def server_programs() -> Path | None:
    """The folder of the newest ``initdb``: Debian keeps it off the path."""
    versions = sorted((int(found.parent.parent.name), found.parent) for found in _DEBIAN.glob("[0-9]*/bin/initdb"))
    if versions:
        return versions[-1][1]
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _identity() -> dict[str, Any] | None:
    """As whom the server runs: it refuses root."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        return None
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _end_with_parent() -> None:
    """Also where the run is killed."""
    ctypes.CDLL(None).prctl(_PARENT_DIES, signal.SIGQUIT)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as there:
        return int(there.getsockname()[1])


def _wait_for(server: "subprocess.Popen[bytes]", port: int, log: Path) -> str:
    """Why it does not answer, with what it said; empty once it does. Another program may have taken the port meanwhile."""
    ends = time.monotonic() + _START_SECONDS
    while server.poll() is None and time.monotonic() < ends:
        if b"ready to accept connections" in log.read_bytes():
            return ""
        time.sleep(0.05)
    return f"PostgreSQL does not start on port {port}:\n{log.read_text(errors='replace')}"
