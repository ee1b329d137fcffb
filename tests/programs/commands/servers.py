"""Runs commands next to a directory and a PDS in separate processes."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tests.fork_server import FORK_SERVER
from tests.interop.conftest import Network


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    status: int
    said: str
    complained: str


def environment_of(network: Network, folder: Path, **more: str) -> dict[str, str]:
    """The settings of a platform on this network, with its data in the given folder."""
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
    done = await asyncio.to_thread(FORK_SERVER.run, *arguments, environment=environment)
    return Done(done.returncode, done.stdout, done.stderr)
