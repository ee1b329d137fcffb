"""Our programs as processes, and third-party clients that talk to them."""

import asyncio
import fcntl
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.external_dependencies import is_available
from tests.simulation.processes import Program, free_port

NODE = Path(__file__).parent / "node"
TIMEOUT_SECONDS = 180


@dataclass(frozen=True)
class Account:
    """An account on the network's PDS."""

    did: str
    handle: str
    password: str
    token: str


@dataclass(frozen=True)
class Network:
    """A directory and a PDS, each in a process of its own."""

    pds: Program
    pds_url: str
    plc_url: str
    folder: Path

    async def sign_up(self, name: str) -> Account:
        handle, password = f"{name}.test", f"password of {name}"
        wish = {"handle": handle, "email": f"{name}@example.org", "password": password}
        made = await self.call("com.atproto.server.createAccount", wish)
        return Account(made["did"], handle, password, made["accessJwt"])

    async def call(self, nsid: str, body: Any, account: Account | None = None) -> Any:
        """Call a procedure and return its decoded response."""
        headers = {} if account is None else {"authorization": f"Bearer {account.token}"}
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{self.pds_url}/xrpc/{nsid}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    async def read(self, nsid: str, **parameters: Any) -> bytes:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"{self.pds_url}/xrpc/{nsid}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def write_notes(self, account: Account, count: int) -> list[str]:
        """Write that many records and return their AT-URIs."""
        uris = []
        for number in range(count):
            note = {"$type": "org.example.note", "text": f"note {number}", "number": number}
            body = {"repo": account.did, "collection": "org.example.note", "record": note}
            uris.append((await self.call("com.atproto.repo.createRecord", body, account))["uri"])
        return uris

    async def newest_number(self) -> int:
        """The sequence number of the newest event of the firehose."""
        async with httpx.AsyncClient(trust_env=False) as http:
            lines = (await http.get(f"{self.pds_url}/metrics")).text.splitlines()
        (line,) = (line for line in lines if line.startswith("aurora_locus_sequencer_head_number "))
        return int(float(line.split()[1]))

    async def did_key(self, did: str) -> str:
        """The signing key from the directory."""
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"{self.plc_url}/{did}/data")
        return str(answer.json()["verificationMethods"]["atproto"])


@pytest.fixture(scope="session")
async def network(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Network]:
    """Shared by all tests of a worker; each test creates its own accounts."""
    folder = tmp_path_factory.mktemp("network")
    plc_port, pds_port = free_port(), free_port()
    plc_url, pds_url = f"http://127.0.0.1:{plc_port}", f"http://localhost:{pds_port}"
    plc = Program(
        "plc",
        {"PLC_PORT": str(plc_port), "PLC_DATA_DIRECTORY": str(folder / "plc"), "PLC_HOURLY_LIMIT": "0"},
        folder / "plc.log",
        f"{plc_url}/_health",
    )
    pds = Program(
        "pds",
        {
            "PDS_DEV_MODE": "true",
            "PDS_PORT": str(pds_port),
            "PDS_PUBLIC_URL": pds_url,
            "PDS_DATA_DIRECTORY": str(folder / "pds"),
            "PDS_DID_PLC_URL": plc_url,
        },
        folder / "pds.log",
        f"{pds_url}/xrpc/_health",
    )
    try:
        await plc.start()
        await pds.start()
        yield Network(pds, pds_url, plc_url, folder)
    finally:
        assert await pds.stop() == 0
        assert await plc.stop() == 0


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The npm packages, installed once for all workers and again when the lock file changes."""
    if not is_available("node"):
        pytest.skip("missing dependency: node")
    installed = NODE / "node_modules"
    done = installed / ".package-lock.json"
    with (NODE / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_file() or done.stat().st_mtime < (NODE / "package-lock.json").stat().st_mtime:
            npm = shutil.which("npm") or "npm"
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            ran = subprocess.run(command, cwd=NODE, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stderr[-2000:]
            done.touch()
    return installed


async def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a third-party program and return its output. Its exit status must be 0."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), TIMEOUT_SECONDS)
    except TimeoutError:
        process.kill()
        output, errors = await process.communicate()
        raise AssertionError(f"{command[1]} did not end:\n{output.decode()}\n{errors.decode()}") from None
    assert process.returncode == 0, f"{command[1]} failed:\n{output.decode()}\n{errors.decode()}"
    return output.decode()


async def node(script: str, *arguments: str) -> str:
    return await run("node", NODE / script, *arguments, cwd=NODE)


def json_lines(text: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in text.splitlines()]
