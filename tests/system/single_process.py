"""``openmeet up`` as a person runs it: started, waited for until its ready file is there, and stopped as with Ctrl-C."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.simulation.processes import DidNotStart, Program, free_port

TIMEOUT_SECONDS = 180.0


@dataclass(frozen=True)
class Up:
    """A running network, and the content of its ready file."""

    program: Program
    ready: dict[str, Any]
    seconds: float

    @property
    def openmeet(self) -> str:
        return str(self.ready["openmeet"])

    @property
    def pds(self) -> str:
        return str(self.ready["pds"])

    @property
    def plc(self) -> str:
        return str(self.ready["plc"])

    async def pds_session(self, person: int = 0) -> dict[str, Any]:
        """The response to createSession for one of the ready-made accounts."""
        who = self.ready["people"][person]
        body = {"identifier": who["handle"], "password": who["password"]}
        return await post(f"{self.pds}/xrpc/com.atproto.server.createSession", body)

    async def openmeet_session(self, person: int = 0) -> dict[str, Any]:
        """OpenMeet's response when one of them signs in with handle and password."""
        who = self.ready["people"][person]
        return await post(f"{self.openmeet}/api/session", {"handle": who["handle"], "password": who["password"]})


async def post(url: str, body: Any, token: str | None = None) -> Any:
    """The decoded response to a call that must succeed."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(url, json=body, headers=headers)
        assert answer.is_success, f"{url}: {answer.status_code} {answer.text}"
        return answer.json()


async def get(url: str, **parameters: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(url, params=parameters)


def fixed_ports() -> list[str]:
    """Options with three free ports, which stay the same across restarts."""
    names = ("--plc-port", "--pds-port", "--web-port")
    return [text for name in names for text in (name, str(free_port()))]


async def start_up(folder: Path, *options: str, environment: dict[str, str] | None = None) -> Up:
    """Start the network and wait for its ready file, which is complete as soon as it exists."""
    ready_file = folder / "ready.json"
    program = Program("up", environment or {}, folder / "up.log", arguments=[*options, "--ready-file", str(ready_file)])
    loop = asyncio.get_running_loop()
    began = loop.time()
    ready_file.unlink(missing_ok=True)
    await program.start()
    assert program.process is not None
    while not ready_file.exists():
        if program.process.returncode is not None or loop.time() > began + TIMEOUT_SECONDS:
            await program.kill()
            raise DidNotStart(program.said()[-4000:])
        await asyncio.sleep(0.01)
    return Up(program, json.loads(ready_file.read_bytes()), loop.time() - began)


@asynccontextmanager
async def running_up(folder: Path, *options: str, environment: dict[str, str] | None = None) -> AsyncIterator[Up]:
    """Run the network for the duration of the block, then stop it."""
    up = await start_up(folder, *options, environment=environment)
    try:
        yield up
    finally:
        await up.program.stop(timeout_seconds=20)


EVENT_COLLECTION = "community.lexicon.calendar.event"


async def write_event_record(up: Up, name: str) -> tuple[str, str]:
    """Write an event record with the first of the ready-made accounts. Returns URI and CID."""
    session = await up.pds_session()
    record = {
        "$type": EVENT_COLLECTION,
        "name": name,
        "createdAt": "2026-11-20T12:00:00Z",
        "startsAt": "2037-06-01T12:00:00Z",
    }
    body = {"repo": session["did"], "collection": EVENT_COLLECTION, "record": record}
    made = await post(f"{up.pds}/xrpc/com.atproto.repo.createRecord", body, session["accessJwt"])
    return made["uri"], made["cid"]
