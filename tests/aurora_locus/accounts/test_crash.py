"""A real PDS process that is killed during a sign-up, and one that is stopped while clients listen."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiohttp import ClientSession, WSMsgType

from groundwork.clock import HandClock
from groundwork.http.server import serving
from groundwork.telemetry.metrics import Metrics
from plc_directory.app import create_app
from plc_directory.store import OperationLimits
from tests.aurora_locus.deployment import SERVER, Directory
from tests.databases import MakeDatabase
from tests.polling import until
from tests.simulation.processes import Program, free_port

WISH = {"handle": "ana.test", "email": "ana@example.org", "password": "password of ana"}


@pytest.fixture
async def directory(make_sqlite: MakeDatabase, clock: HandClock) -> AsyncIterator[Directory]:
    plc = await make_sqlite("plc_directory", clock=clock)
    directory = Directory(
        create_app(plc, OperationLimits(hourly=0, daily=0, weekly=0), Metrics("plc"), version="test", access_log=False)
    )
    async with serving(directory) as served:
        directory.url = served.url
        yield directory


@pytest.fixture
async def program(directory: Directory, tmp_path: Path) -> AsyncIterator[Program]:
    port = free_port()
    url = f"http://localhost:{port}"
    environment = {
        "PDS_DEV_MODE": "true",
        "PDS_PORT": str(port),
        "PDS_PUBLIC_URL": url,
        "PDS_DATA_DIRECTORY": str(tmp_path / "pds"),
        "PDS_DID_PLC_URL": directory.url,
    }
    program = Program("pds", environment, tmp_path / "pds.log", f"{url}/xrpc/_health")
    await program.start()
    yield program
    await program.kill()


async def sign_up(program: Program) -> httpx.Response:
    async with httpx.AsyncClient(base_url=program.environment["PDS_PUBLIC_URL"], trust_env=False) as http:
        return await http.post(f"/xrpc/{SERVER}.createAccount", json=WISH)


async def test_killed_between_directory_and_database(program: Program, directory: Directory) -> None:
    """After a kill between the directory and the database, the next start ends the identity. No account is left, and
    handle and e-mail address are free.
    """

    async def kill() -> None:
        directory.on_submit = None
        await program.kill()

    directory.on_submit = kill
    with pytest.raises(httpx.HTTPError):
        await sign_up(program)
    (orphan,) = await directory.living()

    await program.start()
    answer = await sign_up(program)
    assert answer.status_code == 200, answer.text
    assert await directory.living() == {answer.json()["did"]}
    assert (await directory.log(orphan))[-1]["type"] == "plc_tombstone"
    assert await program.stop() == 0


async def test_unavailable_directory_is_retried_soon_after_the_start(program: Program, directory: Directory) -> None:
    """If the directory is down at the start, the request is repeated soon instead of at the next housekeeping after ten
    minutes, because both may have been killed together.
    """

    async def kill() -> None:
        directory.on_submit = None
        await program.kill()

    directory.on_submit = kill
    with pytest.raises(httpx.HTTPError):
        await sign_up(program)
    (orphan,) = await directory.living()
    directory.is_down = True
    await program.start()
    await program.heard(re.compile("(identity.left_unfinished)"))
    directory.is_down = False

    async def is_ended() -> bool:
        return orphan not in await directory.living()

    await until(is_ended)


async def test_stops_cleanly_with_open_subscriptions(program: Program) -> None:
    url = program.environment["PDS_PUBLIC_URL"].replace("http", "ws")
    async with (
        ClientSession() as session,
        session.ws_connect(f"{url}/xrpc/com.atproto.sync.subscribeRepos?cursor=0") as stream,
    ):
        assert (await sign_up(program)).status_code == 200
        first = await stream.receive(timeout=90)
        assert first.type is WSMsgType.BINARY
        stopping = asyncio.create_task(program.stop())
        while (await stream.receive(timeout=90)).type is WSMsgType.BINARY:
            continue
        # Close code "service restart": the subscriber comes back with its cursor.
        assert stream.close_code == 1012
        assert await stopping == 0
    assert "Traceback" not in program.said()
