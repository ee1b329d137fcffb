"""A PLC directory and a PDS as processes, for tests that need nothing else."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.simulation.processes import Program, free_port
from tests.system.tour.stage import pds_program


@dataclass
class Servers:
    """Both running servers. ``url``: the PDS's URL."""

    folder: Path
    plc: Program
    plc_url: str
    pds: Program
    url: str

    async def account(self, name: str) -> "Account":
        """Create an account with a session."""
        body = {"handle": f"{name}.test", "email": f"{name}@example.test", "password": f"password of {name}"}
        async with httpx.AsyncClient(trust_env=False) as http:
            made = await http.post(f"{self.url}/xrpc/com.atproto.server.createAccount", json=body)
        assert made.status_code == 200, made.text
        return Account(self.url, made.json()["did"], made.json()["accessJwt"], name)

    async def query(self, method: str, **parameters: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as http:
            return await http.get(f"{self.url}/xrpc/{method}", params=parameters)


@dataclass(frozen=True)
class Account:
    """An account that can write."""

    url: str
    did: str
    token: str
    name: str = ""

    async def call(self, http: httpx.AsyncClient, method: str, body: dict[str, Any]) -> httpx.Response:
        """Call a procedure of ``com.atproto.repo`` on the account's repository."""
        headers = {"authorization": f"Bearer {self.token}"}
        return await http.post(
            f"{self.url}/xrpc/com.atproto.repo.{method}", json={"repo": self.did, **body}, headers=headers
        )


@asynccontextmanager
async def running_servers(folder: Path, **environment: str) -> AsyncIterator[Servers]:
    """Run both servers for the block. ``environment``: further variables for the PDS."""
    plc_port, pds_port = free_port(), free_port()
    plc_url = f"http://127.0.0.1:{plc_port}"
    limits = {f"PLC_{span}_LIMIT": "0" for span in ("HOURLY", "DAILY", "WEEKLY")}
    settings = {"PLC_PORT": str(plc_port), "PLC_DATA_DIRECTORY": str(folder / "plc"), **limits}
    plc = Program("plc", settings, folder / "plc.log", f"{plc_url}/_health")
    url = f"http://localhost:{pds_port}"
    pds = pds_program(folder, "pds", pds_port, url, plc_url)
    pds.environment |= environment
    async with AsyncExitStack() as stack:
        for program in (plc, pds):
            stack.push_async_callback(program.stop)
            await program.start()
        yield Servers(folder, plc, plc_url, pds, url)
