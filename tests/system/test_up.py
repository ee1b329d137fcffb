"""``openmeet up``: all servers answer, data is stored, and with ``--ephemeral`` nothing is left behind."""

import asyncio
import os
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from programs import dev_accounts
from tests.external_dependencies import needs
from tests.simulation.processes import OPENMEET, DidNotStart, free_port
from tests.system.single_process import (
    EVENT_COLLECTION,
    Up,
    fixed_ports,
    get,
    post,
    running_up,
    start_up,
    write_event_record,
)
from tests.system.tour.polling import eventually


@pytest.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory):
    """One network for the tests that only use it as people would."""
    async with running_up(tmp_path_factory.mktemp("up"), "--ephemeral") as running:
        yield running


def is_private(path: Path) -> bool:
    return path.stat().st_mode & 0o077 == 0


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def title_here(up: Up, uri: str) -> str:
    """Wait until OpenMeet lists a record, and return the title."""

    async def look() -> str | None:
        found = (await get(f"{up.openmeet}/api/events", uri=uri)).json()["events"]
        return str(found[0]["title"]) if found else None

    return await eventually(look)


async def test_the_settings_file_opens_the_operators_tools(up: Up):
    """Commands for operators work on the platform's database, on the PDS's database, and on the running PDS."""
    kept = up.ready["settings"]
    assert is_private(Path(kept))
    for arguments, said in (
        (("sync", "status"), up.pds.replace("http", "ws", 1)),
        (("pds", "account", "list"), "ana.test"),
        (("pds", "verify"), "No errors were found."),
    ):
        command = [OPENMEET, *arguments, "--settings", kept]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout


async def test_the_first_account_operates_the_site(up: Up):
    """As the start message says. For the second account, the page does not exist."""
    found = []
    for person in up.ready["people"][:2]:
        async with httpx.AsyncClient(base_url=up.openmeet) as browser:
            await browser.post("/sign-in/handle", data={"handle": person["handle"], "password": person["password"]})
            found.append((await browser.get("/operating")).status_code)
    assert found == [200, 404]


async def test_everything_answers(up: Up):
    """Pages, API, PDS and directory answer as soon as the ready file is there."""
    addresses = (
        up.openmeet,
        f"{up.openmeet}/dev/mail",
        f"{up.openmeet}/api/openapi.json",
        f"{up.openmeet}/health/ready",
        f"{up.pds}/xrpc/_health",
        f"{up.pds}/xrpc/com.atproto.server.describeServer",
        f"{up.pds}/",
        f"{up.plc}/_health",
    )
    assert {url: (await get(url)).status_code for url in addresses} == dict.fromkeys(addresses, 200)
    assert up.ready["pid"] == up.program.process.pid


async def test_ready_made_accounts_can_sign_in_everywhere(up: Up):
    """Each of the three passwords opens a session on the PDS and one in OpenMeet."""
    for number, person in enumerate(up.ready["people"]):
        there = await up.pds_session(number)
        assert there["handle"] == person["handle"]
        here = await up.openmeet_session(number)
        headers = {"authorization": f"Bearer {here['token']}"}
        async with httpx.AsyncClient(trust_env=False) as http:
            whose = await http.get(f"{up.openmeet}/api/session", headers=headers)
        assert whose.json() == here["person"]


async def test_a_record_on_the_pds_becomes_an_event(up: Up):
    uri, _ = await write_event_record(up, "Choir rehearsal")
    assert await title_here(up, uri) == "Choir rehearsal"


@needs("curl")
async def test_printed_curl_lines_work_when_pasted(up: Up):
    """Open a session, create an event record, read it back: three lines in one shell."""
    lines = up.program.said().splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip().startswith("TOKEN="))
    pasted = "\n".join(line.strip() for line in lines[first : first + 3])
    shell = await asyncio.create_subprocess_exec(
        "sh", "-e", "-c", pasted, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, complaints = await shell.communicate()
    assert (shell.returncode, complaints) == (0, b"")
    assert b'"name":"Board games at the library"' in printed


async def test_nothing_is_left_behind(tmp_path: Path):
    """Ctrl-C ends it with status 0, and --ephemeral leaves no files: neither the ready file nor its folder."""
    spare = tmp_path / "spare"
    spare.mkdir()
    up = await start_up(tmp_path, "--ephemeral", environment={"TMPDIR": str(spare), "HOME": str(spare)})
    assert names_in(spare), "its files are in a temporary folder"
    assert (tmp_path / "ready.json").stat().st_mode & 0o777 == 0o600, "the ready file contains passwords"
    await write_event_record(up, "Gone soon")
    assert await up.program.stop(timeout_seconds=20) == 0
    assert names_in(tmp_path) == ["spare", "up.log"]
    assert names_in(spare) == []


async def test_given_port_is_used_with_ephemeral(tmp_path: Path):
    """--ephemeral chooses free ports only for the servers whose port is not given."""
    port = free_port()
    async with running_up(tmp_path, "--ephemeral", "--web-port", str(port)) as up:
        assert up.openmeet == f"http://127.0.0.1:{port}"
        assert up.pds not in {f"http://localhost:{port}", "http://localhost:3000"}


async def test_limits_can_be_turned_on(tmp_path: Path):
    """Development mode has practically no limits. A setting turns on those of an installation."""
    async with running_up(tmp_path, "--ephemeral", environment={"PDS_RATE_LIMITS_ENABLED": "true"}) as up:
        answer = await get(f"{up.pds}/xrpc/com.atproto.server.describeServer")
        # A loopback address may be a proxy with many users, so the limit is a hundred times that of a normal address,
        # not a thousand.
        assert int(answer.headers["ratelimit-limit"]) == 300_000


async def test_a_limit_that_makes_no_sense_is_refused(tmp_path: Path):
    with pytest.raises(DidNotStart, match="OPENMEET_DEV_LIMITS"):
        await start_up(tmp_path, "--ephemeral", environment={"OPENMEET_DEV_LIMITS": "perhaps"})


async def test_second_start_keeps_everything(tmp_path: Path, record_property):
    """After Ctrl-C and after kill -9, the accounts, identities, events, records and sessions are the same, and so are
    the pages.
    """
    options = ["--data", str(tmp_path / "var"), *fixed_ports()]
    first = await start_up(tmp_path, *options)
    uri, cid = await write_event_record(first, "Stays for good")
    assert await title_here(first, uri) == "Stays for good"
    session = await first.openmeet_session()
    people, did = first.ready["people"], (await first.pds_session())["did"]
    assert await first.program.stop(timeout_seconds=20) == 0

    async def is_as_it_was(up: Up) -> None:
        assert up.ready["people"] == people
        assert (await up.pds_session())["did"] == did
        page = await get(f"{up.pds}/xrpc/com.atproto.repo.listRecords", repo=did, collection=EVENT_COLLECTION)
        assert [(one["uri"], one["cid"]) for one in page.json()["records"]] == [(uri, cid)]
        here = (await get(f"{up.openmeet}/api/events", q="Stays")).json()["events"]
        assert [event["recordUri"] for event in here] == [uri], "printed only once"
        assert (await up.openmeet_session())["person"] == session["person"]

    second = await start_up(tmp_path, *options)
    record_property("second_start_seconds", round(second.seconds, 2))
    await is_as_it_was(second)
    await second.program.kill()
    third = await start_up(tmp_path, *options)
    record_property("start_after_kill_seconds", round(third.seconds, 2))
    try:
        await is_as_it_was(third)
    finally:
        assert await third.program.stop(timeout_seconds=20) == 0


async def test_deleted_accounts_are_not_recreated(tmp_path: Path):
    """One account is renamed and one is deleted. The next start works as before and does not recreate either."""
    options = ["--data", str(tmp_path / "var"), *fixed_ports()]
    first = await start_up(tmp_path, *options)
    session = await first.pds_session()
    ben = (await get(f"{first.pds}/xrpc/com.atproto.identity.resolveHandle", handle="ben.test")).json()["did"]
    async with httpx.AsyncClient(base_url=f"{first.pds}/xrpc/") as client:
        ana = {"authorization": f"Bearer {session['accessJwt']}"}
        renamed = await client.post("com.atproto.identity.updateHandle", json={"handle": "anna.test"}, headers=ana)
        admin = ("admin", first.ready["admin_password"])
        gone = await client.post("com.atproto.admin.deleteAccount", json={"did": ben}, auth=admin)
    assert (renamed.status_code, gone.status_code) == (200, 200)
    assert await first.program.stop(timeout_seconds=20) == 0
    second = await start_up(tmp_path, *options)
    try:
        page = await get(f"{second.pds}/xrpc/com.atproto.sync.listRepos")
        assert session["did"] in {one["did"] for one in page.json()["repos"]}
        assert len([one for one in page.json()["repos"] if one["active"]]) == 2
    finally:
        assert await second.program.stop(timeout_seconds=20) == 0


@pytest.mark.parametrize("taken", ["--plc-port", "--pds-port", "--web-port"])
def test_used_port_is_reported(tmp_path: Path, taken: str):
    """The start prints an error with the port, ends with exit status 1, and writes no ready file."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ports = {name: free_port() for name in ("--plc-port", "--pds-port", "--web-port")} | {taken: port}
        options = [text for name, value in ports.items() for text in (name, str(value))]
        ended = refused_start("up", "--data", str(tmp_path / "var"), *options, "--ready-file", str(tmp_path / "ready"))
    assert f"port {port}" in ended.stderr
    assert not (tmp_path / "ready").exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"admin_password": 1}', b"\xff\xfe"])
def test_damaged_data_folder_is_reported(tmp_path: Path, damage: bytes):
    """The error names the file, and nothing is replaced."""
    path = tmp_path / "household.json"
    path.write_bytes(damage)
    ended = refused_start("up", "--data", str(tmp_path))
    assert f"{path} is damaged" in ended.stderr
    assert path.read_bytes() == damage
    assert {found.name for found in tmp_path.iterdir()} == {"household.json", ".lock"}


def test_other_pds_port_is_refused(tmp_path: Path):
    """The identities from the first start contain the address of their PDS."""
    dev_accounts.find_or_make(tmp_path, 3000)
    ended = refused_start("up", "--data", str(tmp_path), "--pds-port", "3001")
    assert "--pds-port 3000" in ended.stderr


def test_folder_belongs_to_one_network(tmp_path: Path):
    with dev_accounts.lock_folder(tmp_path):
        ended = refused_start("up", "--data", str(tmp_path))
    assert f"already running in {tmp_path}" in ended.stderr


def refused_start(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that must end by itself with status 1 and a message, without a traceback."""
    began = time.monotonic()
    ended = subprocess.run(
        [OPENMEET, *arguments], capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ)
    )
    assert ended.returncode == 1, f"{ended.returncode} after {time.monotonic() - began:.0f} s: {ended.stderr}"
    assert "Traceback" not in ended.stderr
    return ended


async def test_events_of_another_network_arrive(tmp_path: Path):
    """``--source``: what a PDS with a separate directory had before, what is written there later, a change, and a
    deletion.
    """
    (tmp_path / "other").mkdir()
    async with running_up(tmp_path / "other", "--ephemeral") as other:
        before, _ = await write_event_record(other, "Written before")
        sources = ("--source", other.pds, "--second-plc", other.plc)
        async with running_up(tmp_path, "--ephemeral", *sources) as here:
            since, _ = await write_event_record(other, "Written since")
            assert await title_here(here, before) == "Written before"
            assert await title_here(here, since) == "Written since"
            session = await other.pds_session()
            record = {"repo": session["did"], "collection": EVENT_COLLECTION, "rkey": since.rpartition("/")[2]}
            await post(f"{other.pds}/xrpc/com.atproto.repo.deleteRecord", record, session["accessJwt"])

            async def gone() -> bool:
                return not (await get(f"{here.openmeet}/api/events", uri=since)).json()["events"]

            await eventually(gone)
            assert await title_here(here, before) == "Written before"
