"""The PostgreSQL server of one run answers queries, and is removed with the run, however the run ends."""

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
from checks.postgres import throw_away_server

from tests.external_dependencies import ROOT
from tests.timeouts import TIMEOUT_SECONDS

# Prints the address of its server and waits to be killed.
HOLDER = """
import sys
from checks.postgres import throw_away_server

with throw_away_server(None) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


async def asked(url: str, question: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval(question))
    finally:
        await connection.close()


def answers(url: str) -> bool:
    try:
        return asyncio.run(asked(url, "select 1")) == "1"
    except (OSError, asyncpg.PostgresError):
        return False


def test_server_does_not_sync_and_leaves_nothing() -> None:
    with throw_away_server(None) as url:
        if url is None:
            pytest.skip("this machine has no initdb, or no user to run a server as")
        assert asyncio.run(asked(url, "show fsync")) == "off"
        data = Path(asyncio.run(asked(url, "show data_directory")))
        assert data.exists()
    assert not answers(url)
    assert not data.parent.exists()


def test_server_ends_with_a_killed_run() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        url = holder.stdout.readline().strip()
        if url == "None":
            pytest.skip("this machine has no initdb, or no user to run a server as")
        data = Path(asyncio.run(asked(url, "show data_directory")))
        holder.send_signal(signal.SIGKILL)
    ends = time.monotonic() + TIMEOUT_SECONDS
    while answers(url):
        assert time.monotonic() < ends
        time.sleep(0.005)
    shutil.rmtree(data.parent, ignore_errors=True)
