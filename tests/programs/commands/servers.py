"""Commands beside a directory and a PDS that run as processes of their own."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.parts import ROOT
from tests.witnesses.conftest import Network


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    said: str
    complained: str


def environment_of(network: Network, folder: Path, **more: str) -> dict[str, str]:
    """Settings of a platform on this network, with its data in a folder."""
    return {
        "OPENMEET_DATA_DIRECTORY": str(folder),
        "OPENMEET_DEV_MODE": "true",
        "OPENMEET_DEV_MAILBOX": "true",
        "OPENMEET_ALLOW_PRIVATE_ADDRESSES": "true",
        "OPENMEET_PDS_URL": network.pds_url,
        "OPENMEET_PLC_URL": network.plc_url,
        **more,
    }


async def openmeet(environment: dict[str, str], *arguments: str) -> Done:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "programs.cli",
        *arguments,
        cwd=ROOT / "src",
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode is not None
    return Done(process.returncode, said.decode(), complained.decode())
