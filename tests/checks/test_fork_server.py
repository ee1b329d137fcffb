"""Forked commands behave like separately started processes."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from programs.cli import MISUSED
from tests.fork_server import FORK_SERVER, ForkedCommand, inherited_environment


def start(tmp_path: Path, *arguments: str, **environment: str) -> ForkedCommand:
    with (tmp_path / "said").open("ab") as log:
        return FORK_SERVER.start(
            arguments, inherited_environment() | environment, log.fileno(), log.fileno(), folder=tmp_path
        )


async def test_status_and_output_are_returned():
    done = FORK_SERVER.run("pds", "no-such-verb", environment={})
    assert (done.returncode, done.stdout) == (MISUSED, "")
    assert "no-such-verb" in done.stderr
    assert FORK_SERVER.run("--version", environment={}).stdout.startswith("openmeet 0.")


async def test_forked_command_has_its_own_environment_and_folder(tmp_path: Path):
    settings = {"PDS_DEV_MODE": "true", "PDS_PORT": "0", "PDS_DATA_DIRECTORY": "here"}
    running = start(tmp_path, "pds", **settings)
    try:
        assert running.pid != os.getpid()
        while not (tmp_path / "here").exists():
            assert running.returncode is None
            await asyncio.sleep(0.01)
    finally:
        running.send_signal(signal.SIGTERM)
    assert await running.wait() == 0
    assert start(tmp_path, "pds", PDS_PORT="many").end() == 1
    assert "PDS_PORT" in (tmp_path / "said").read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_signal_ends_the_command(tmp_path: Path, number: signal.Signals):
    """A signal ends the command; a signal that only stops it does not."""
    running = start(tmp_path, "plc", OPENMEET_DATA_DIRECTORY=str(tmp_path))
    running.send_signal(number)
    if number is signal.SIGSTOP:
        assert running.returncode is None
        running.kill()
    assert await running.wait() == running.returncode == -signal.SIGKILL
