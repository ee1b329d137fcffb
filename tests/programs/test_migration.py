"""``openmeet pds migrate`` as a person runs it: real servers and processes, killed and resumed."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.external_dependencies import ROOT
from tests.fork_server import FORK_SERVER
from tests.polling import until
from tests.simulation.processes import OPENMEET, Program, free_port

from groundwork.clock import SystemClock
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Sender
from groundwork.mail.folder import FolderMailbox

NOTE = "org.example.note"
OLD_PASSWORD, NEW_PASSWORD = "password of ana", "another password of ana"
MAIL = "ana@example.org"
WISH = {"handle": "ana.one.test", "email": MAIL, "password": OLD_PASSWORD}


@dataclass
class Said:
    status: int
    out: str
    err: str


@dataclass
class Region:
    """A directory and two servers in separate processes, and the folder of the person who moves."""

    plc_url: str
    servers: dict[str, Program]
    folder: Path

    def url(self, name: str) -> str:
        return self.servers[name].environment["PDS_PUBLIC_URL"]

    def environment(self, server: str, **more: str) -> dict[str, str]:
        """The environment of an operator of one of them; passwords are not passed as arguments."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("PDS_", "OPENMEET_", "PLC_"))
        }
        return {
            **inherited,
            **self.servers[server].environment,
            "OPENMEET_OLD_PASSWORD": OLD_PASSWORD,
            "OPENMEET_NEW_PASSWORD": NEW_PASSWORD,
            **more,
        }

    async def start(self, server: str, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(OPENMEET, "pds", "migrate", *arguments),
            cwd=self.folder,
            env=self.environment(server, **more),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, server: str, *arguments: str, **more: str) -> Said:
        command = ("pds", "migrate", *arguments)
        environment = self.environment(server, **more)
        done = await asyncio.to_thread(FORK_SERVER.run, *command, environment=environment, folder=self.folder)
        return Said(done.returncode, done.stdout, done.stderr)

    async def token(self, server: str, to: str = MAIL) -> str:
        """The token from the newest e-mail; the previous one is no longer valid."""
        folder = Path(self.servers[server].environment["PDS_DATA_DIRECTORY"]) / "mail"
        mailbox = FolderMailbox(folder, Sender("test", parse_address("test@example.org")), SystemClock())

        async def has_letter() -> bool:
            return bool(await mailbox.newest(to=to))

        await until(has_letter)
        letters = await mailbox.newest(to=to)
        found = re.search(r"^    ([A-Z2-7]{5}-[A-Z2-7]{5})$", letters[0].text, re.MULTILINE)
        assert found is not None
        return found[1]

    async def call(self, server: str, nsid: str, body: Any, token: str = "") -> Any:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(base_url=self.url(server), trust_env=False) as http:
            answer = await http.post(f"/xrpc/{nsid}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    async def records(self, server: str, did: str) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.url(server), trust_env=False) as http:
            wish = {"repo": did, "collection": NOTE, "limit": 100}
            page = await http.get("/xrpc/com.atproto.repo.listRecords", params=wish)
        assert page.status_code == 200, page.text
        return {one["uri"]: one["cid"] for one in page.json()["records"]}


@pytest.fixture
async def region(tmp_path: Path) -> AsyncIterator[Region]:
    plc_port = free_port()
    plc_url = f"http://127.0.0.1:{plc_port}"
    settings = {"PLC_PORT": str(plc_port), "PLC_DATA_DIRECTORY": str(tmp_path / "plc"), "PLC_HOURLY_LIMIT": "0"}
    plc = Program("plc", settings, tmp_path / "plc.log", f"{plc_url}/_health")
    await plc.start()
    servers = {}
    for name in ("one", "two"):
        port = free_port()
        url = f"http://localhost:{port}"
        environment = {
            "PDS_DEV_MODE": "true",
            "PDS_PORT": str(port),
            "PDS_PUBLIC_URL": url,
            "PDS_DATA_DIRECTORY": str(tmp_path / name),
            "PDS_DID_PLC_URL": plc_url,
            "PDS_SERVICE_HANDLE_DOMAINS": f".{name}.test",
        }
        servers[name] = Program("pds", environment, tmp_path / f"{name}.log", f"{url}/xrpc/_health")
    try:
        await asyncio.gather(*(server.start() for server in servers.values()))
        (tmp_path / "moving").mkdir()
        yield Region(plc_url, servers, tmp_path / "moving")
    finally:
        for server in (*servers.values(), plc):
            await server.kill()


@pytest.fixture
async def ana(region: Region) -> str:
    """The DID of somebody with twelve notes, each with a picture of its own."""
    made = await region.call("one", "com.atproto.server.createAccount", WISH)
    token = made["accessJwt"]
    async with httpx.AsyncClient(base_url=region.url("one"), trust_env=False) as http:
        for number in range(12):
            headers = {"authorization": f"Bearer {token}", "content-type": "text/plain"}
            content = f"blob {number}\n".encode() * 50
            answer = await http.post("/xrpc/com.atproto.repo.uploadBlob", content=content, headers=headers)
            record = {"$type": NOTE, "n": number, "file": answer.json()["blob"]}
            body = {"repo": made["did"], "collection": NOTE, "record": record}
            await region.call("one", "com.atproto.repo.createRecord", body, token)
    return str(made["did"])


OUT = ("out", "ana.one.test", "--handle", "ana.two.test", "--email", "ana@example.com")


async def test_migration_stops_for_the_token_and_continues(region: Region, ana: str) -> None:
    """The command stops when it needs the token from the e-mail, continues with only the file named, and says when it
    is done.
    """
    before = await region.records("one", ana)
    first = await region.run("one", *OUT, "--to", region.url("two"))
    assert first.status == 1, first.err
    assert "OPENMEET_PLC_TOKEN" in first.err
    assert "12 copied" in first.out
    kept = (region.folder / "openmeet-move.json").read_text()
    assert OLD_PASSWORD not in kept
    assert NEW_PASSWORD not in kept
    assert (region.folder / "openmeet-move.json").stat().st_mode & 0o077 == 0

    wrong = await region.run("one", "out", OPENMEET_PLC_TOKEN="AAAAA-BBBBB")
    assert wrong.status == 1
    assert "This code is wrong" in wrong.err
    second = await region.run("one", "out", OPENMEET_PLC_TOKEN=await region.token("one"))
    assert second.status == 0, second.err
    assert "Done. ana.two.test is at" in second.out
    assert await region.records("two", ana) == before
    state = json.loads((region.folder / "openmeet-move.json").read_text())
    assert (state["did"], state["records"], state["is_finished"]) == (ana, 12, True)
    third = await region.run("one", "out")
    assert third.status == 1
    assert "is complete" in third.err


async def test_migration_continues_after_a_kill_at_any_line(region: Region, ana: str) -> None:
    """The move succeeds although the command is killed after each line that it prints, and once a server is killed too."""
    before = await region.records("one", ana)
    arguments = ("in", "ana.one.test", "--handle", "ana.two.test", "--email", "ana@example.com")
    for line in range(1, 4):
        process = await region.start("two", *arguments, "--from", region.url("one"))
        assert process.stdout is not None
        for _ in range(line):
            await asyncio.wait_for(process.stdout.readline(), 60)
        if process.returncode is None:
            process.kill()
        await process.communicate()
    await region.servers["one"].kill()
    away = await region.run("two", *arguments, "--from", region.url("one"))
    assert away.status == 1
    await region.servers["one"].start()
    first = await region.run("two", *arguments, "--from", region.url("one"))
    assert "OPENMEET_PLC_TOKEN" in first.err
    token = await region.token("one")
    await region.servers["two"].kill()
    await region.servers["two"].start()
    done = await region.run("two", "in", OPENMEET_PLC_TOKEN=token)
    assert done.status == 0, done.err
    assert await region.records("two", ana) == before
    assert "Traceback" not in region.servers["one"].said() + region.servers["two"].said()


async def test_missing_or_refused_input_is_reported(region: Region) -> None:
    """Missing or refused input is reported in a sentence, with status 2 for wrong arguments and 1 for a refusal or no
    response; never a traceback.
    """
    await region.call("one", "com.atproto.server.createAccount", WISH)
    here = region.url("one")
    in_ = ("in", "ana.one.test", "--email", "a@example.com", "--from", here)
    for server, arguments, environment, status, said in (
        ("one", ("out", "ana.one.test"), {}, 2, "--to"),
        ("two", ("in",), {}, 2, "WHO"),
        ("one", (*OUT, "--to", "http://localhost:1", "--state", "a.json"), {}, 1, "localhost"),
        ("two", (*in_, "--handle", "x.two.test", "--state", "b.json"), {}, 1, "3 to 18"),
        ("one", (*OUT, "--to", region.url("two")), {"OPENMEET_OLD_PASSWORD": ""}, 1, "set OPENMEET_OLD_PASSWORD"),
    ):
        refused = await region.run(server, *arguments, **environment)
        assert refused.status == status, refused
        assert said in refused.err
        assert "Traceback" not in refused.err


GUIDE = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")


async def test_every_command_of_the_guide_works(region: Region) -> None:
    """Every command of the guide works as written, apart from server names, passwords and tokens."""
    names, *commands = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    assert len(commands) == 4
    for name in ("ana", "ben"):
        await region.call(
            "one",
            "com.atproto.server.createAccount",
            {**WISH, "handle": f"{name}.one.test", "email": f"{name}@example.org"},
        )
    here = {
        "https://old.example.org": region.url("one"),
        "https://new.example.net": region.url("two"),
        "the password at the old server": OLD_PASSWORD,
        "another one for the new server": NEW_PASSWORD,
        ".old.example.org": ".one.test",
        ".new.example.net": ".two.test",
    }
    for number, command in enumerate(commands):
        is_second = number % 2 == 1
        script = names + command
        for printed, meant in here.items():
            script = script.replace(printed, meant)
        if is_second:
            assert "ABCDE-FGHIJ" in script
            script = script.replace(
                "ABCDE-FGHIJ", await region.token("one", MAIL if number == 1 else "ben@example.org")
            )
        environment = region.environment("two", PATH=f"{Path(OPENMEET).parent}:{os.environ['PATH']}")
        process = await asyncio.create_subprocess_exec(
            *("bash", "-eu", "-c", script),
            cwd=region.folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        if is_second:
            assert process.returncode == 0, err.decode()
            assert b"Done." in out
        else:
            assert process.returncode == 1
            assert b"OPENMEET_PLC_TOKEN" in err
