"""A process that is asked to stop ends, even if its threads do not."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.simulation.processes import OPENMEET

# Prints that it runs. When it is asked to stop, it waits for a thread that never ends.
STUCK = """
import asyncio, time
from programs.running import run_until_stopped, stopping

def never_ending():
    time.sleep(3600)

async def work():
    async with stopping(within_seconds=0.5) as stop:
        print("running", flush=True)
        await stop.wait()
    await asyncio.to_thread(never_ending)

run_until_stopped(work)
"""


def test_endless_thread_does_not_block_the_exit() -> None:
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"running\n"
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=90)
        finally:
            process.kill()
    assert process.returncode == 1
    assert b"never_ending" in said, "the reason would be lost"


# Prints that it is loading, and never finishes.
LOADING = """
import time
print("loading", flush=True)
time.sleep(3600)
"""
ROLE = "import sys; from programs import cli; cli.ROLES = {'slow': ('slow', '')}; sys.exit(cli.main(['slow']))"

# Prints that it is starting, and waits for something that does not answer, such as a database.
STARTING = """
import asyncio
from programs.running import run_until_stopped, stopping

async def work():
    try:
        print("starting", flush=True)
        await asyncio.Event().wait()
    finally:
        print("closed", flush=True)
    async with stopping():
        pass

run_until_stopped(work)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_role_that_is_still_loading_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "slow.py").write_text(LOADING)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {ROLE}"]
    assert ended(command, b"loading\n", number) == (0, b"", b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_role_that_is_still_starting_closes_its_resources(number: signal.Signals) -> None:
    assert ended([sys.executable, "-c", STARTING], b"starting\n", number) == (0, b"closed\n", b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_server_without_database_response_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(90)
        url = f"postgresql://somebody@127.0.0.1:{silent.getsockname()[1]}/pds"
        settings = {"PDS_DATABASE_URL": url, "PDS_DEV_MODE": "true", "PDS_DATA_DIRECTORY": str(tmp_path)}
        with subprocess.Popen([OPENMEET, "pds"], env={**os.environ, **settings}) as process:
            try:
                with silent.accept()[0]:
                    process.send_signal(number)
                    assert process.wait(timeout=90) == 0
            finally:
                process.kill()


def ended(command: list[str], said: bytes, number: signal.Signals) -> tuple[int, bytes, bytes]:
    """Send the signal once the process has printed ``said``; returns its status, output and errors."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == said
            process.send_signal(number)
            rest, errors = process.communicate(timeout=90)
        finally:
            process.kill()
    return process.returncode, rest, errors
