"""Start the processes of ``refresher`` and other test programs, and read the lines that they print for the test."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.external_dependencies import ROOT

LINE_TIMEOUT_SECONDS = 120


@asynccontextmanager
async def refresher_process(
    database: tuple[str, str], directory_url: str, now: str, did: str, fault: str = "none"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that is ready to make a request for the DID. ``database`` is its URL and schema; for ``now`` see
    ``refresher``.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.openmeet.identities.refresher", *database, directory_url, now, did, fault),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def next_line_of(process: asyncio.subprocess.Process) -> str:
    """The next line that the program prints for the test, or an empty string if it has ended."""
    assert process.stdout is not None
    async with asyncio.timeout(LINE_TIMEOUT_SECONDS):
        while line := (await process.stdout.readline()).decode():
            if line.startswith("said "):  # the rest is log output
                return line.removeprefix("said ").strip()
    return ""


def start_request(process: asyncio.subprocess.Process) -> None:
    """Let a process that waits for the start signal make its request."""
    assert process.stdin is not None
    process.stdin.write(b"go\n")
