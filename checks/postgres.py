"""Start a PostgreSQL server for one run of the tests. It uses the installed version, keeps its data in memory if there
is enough, and is deleted afterwards.

Its data does not have to survive a crash, so the server never waits for a disk. On a normal server, creating the tables
for a test waits for the disk more than a hundred times, and dropping a database writes all of its data.
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

# The variable with the URL of the server that tests use. Without it, they use the server on port 5432.
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
    """Yield the URL of a server that stops at the end of the block. Yields None if this machine has no ``initdb``, or
    if we are root and there is no user to run it as.

    ``log``: the file for its log, if it is needed afterwards.
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
            # Stop immediately, because none of the data is kept.
            server.send_signal(signal.SIGQUIT)
            server.wait()


def server_programs() -> Path | None:
    """The folder of the newest ``initdb``, which Debian does not put on the path."""
    versions = sorted((int(found.parent.parent.name), found.parent) for found in _DEBIAN.glob("[0-9]*/bin/initdb"))
    if versions:
        return versions[-1][1]
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _identity() -> dict[str, Any] | None:
    """The user that the server runs as, because PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        return None
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _end_with_parent() -> None:
    """Make the server end with its parent process, even if that is killed."""
    ctypes.CDLL(None).prctl(_PARENT_DIES, signal.SIGQUIT)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as there:
        return int(there.getsockname()[1])


def _wait_for(server: "subprocess.Popen[bytes]", port: int, log: Path) -> str:
    """Wait until the server answers. Returns an empty text, or the reason and its output if it does not. Another
    program may have taken the port in the meantime.
    """
    ends = time.monotonic() + _START_SECONDS
    while server.poll() is None and time.monotonic() < ends:
        if b"ready to accept connections" in log.read_bytes():
            return ""
        time.sleep(0.01)
    return f"PostgreSQL does not start on port {port}:\n{log.read_text(errors='replace')}"
