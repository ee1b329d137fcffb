"""A person who operates a PDS from the command line, with a settings file."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from tests.fork_server import FORK_SERVER
from tests.system.servers import Servers
from tests.system.tour.stage import ADMIN_PASSWORD


@dataclass
class PdsOperator:
    """A person at the command line, in a folder with the settings files."""

    folder: Path
    names: dict[str, str]

    async def run(self, *arguments: str, status: int = 0) -> str:
        """The output of a command. Raises AssertionError with the output if the exit status is another one."""
        command = [self.names.get(argument, argument) for argument in arguments]
        done = await asyncio.to_thread(FORK_SERVER.run, *command, environment={}, folder=self.folder)
        said = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == status, f"openmeet {' '.join(arguments)}: {done.returncode}\n{said}"
        return done.stdout if status == 0 else done.stderr


def write_pds_settings(file: Path, servers: Servers, data: Path, vault: Path) -> None:
    settings = {
        "hostname": "localhost",
        "public_url": servers.url,
        "data_directory": str(data),
        "did_plc_url": servers.plc_url,
        "admin_password": ADMIN_PASSWORD,
        "backup_url": str(vault),
        "backup_passphrase": "a sentence that is kept elsewhere",
    }
    port = servers.url.rpartition(":")[2]
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    file.write_text("[pds]\n" + "\n".join([*lines, "dev_mode = true", f"port = {port}"]) + "\n")
