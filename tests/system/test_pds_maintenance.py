"""The operator's chapter about backups, restore and repair, command by command, on a running server that is then lost."""

import asyncio
import json
import re
from pathlib import Path

import httpx

from at_protocol.sync import events
from tests.external_dependencies import ROOT
from tests.system.pds_operator import PdsOperator, write_pds_settings
from tests.system.servers import Account, Servers, running_servers
from tests.system.stream import Follower
from tests.timeouts import TIMEOUT_SECONDS

HEADING = "## Backups, restore, repair"


def documented() -> list[list[str]]:
    """Every command of the chapter, in order, without the program's name."""
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    chapter = page.partition(HEADING)[2].partition("\n## ")[0]
    return [line.split()[1:] for line in chapter.splitlines() if line.startswith("openmeet ")]


async def write(http: httpx.AsyncClient, account: Account, key: str) -> None:
    body = {"collection": "com.example.note", "rkey": key, "record": {"$type": "com.example.note", "text": key}}
    answer = await account.call(http, "createRecord", body)
    assert answer.status_code == 200, answer.text


async def take_handle(http: httpx.AsyncClient, account: Account, handle: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {account.token}"}
    url = f"{account.url}/xrpc/com.atproto.identity.updateHandle"
    return await http.post(url, json={"handle": handle}, headers=headers)


async def test_every_documented_maintenance_command_works(tmp_path: Path):
    """On a server with accounts and a follower. The server is lost, restored from its backup, and started in its place.
    Its users find their records and can write. The follower continues with its cursor and gets one ``#sync`` for each
    repository.
    """
    commands = documented()
    assert len(commands) >= 15
    async with running_servers(tmp_path) as servers, httpx.AsyncClient(trust_env=False) as http:
        ada, ben = await servers.account("ada"), await servers.account("ben")
        for number in range(5):
            await write(http, ada, f"note{number}")
        write_pds_settings(tmp_path / "town.toml", servers, tmp_path / "pds", tmp_path / "vault")
        write_pds_settings(tmp_path / "new.toml", servers, tmp_path / "new", tmp_path / "vault")
        assert (await take_handle(http, ada, "countess.test")).status_code == 200
        operator = PdsOperator(tmp_path, {"DID": ada.did, "ana.example.org": "ada.test"})
        follower, stop = Follower(servers.url), asyncio.Event()
        following = asyncio.create_task(follower.follow(stop))
        later, stopped = [], []
        for command in commands:
            if command[:3] == ["pds", "rotate-keys", "server"]:
                refused = await operator.run(*command, status=1)
                assert f"A server answers at {servers.url.replace('localhost', '127.0.0.1')}. Stop" in refused
                stopped.append(command)
                continue
            if "new.toml" in command:
                later.append(command)
                continue
            if command[:2] == ["pds", "release-handle"]:
                kept = await take_handle(http, ben, "ada.test")
                assert (kept.status_code, kept.json()["error"]) == (400, "HandleNotAvailable")
            said = await operator.run(*command)
            if command[:2] == ["pds", "release-handle"]:
                assert (await take_handle(http, ben, "ada.test")).status_code == 200
            if command[:2] == ["pds", "backup"]:
                operator.names["BACKUP"] = re.match(r"[^\s:]+", said)[0]  # type: ignore[index]
            # The server is still serving after all of these commands.
            await write(http, ben, f"after-{len(follower.frames)}-{commands.index(command)}")
        made = json.loads(await operator.run("pds", "backup", "--json", "--settings", "town.toml"))
        await write(http, ada, "lost")
        cursor = await _caught_up(follower, http, servers)
        await servers.pds.kill()
        for command in stopped:
            await operator.run(*command)

        for command in later:
            await operator.run(*command)
        servers.pds.environment["PDS_DATA_DIRECTORY"] = str(tmp_path / "new")
        await servers.pds.start()
        for account in (ada, ben):
            signed_in = await http.get(
                f"{servers.url}/xrpc/com.atproto.server.getSession",
                headers={"authorization": f"Bearer {account.token}"},
            )
            assert signed_in.status_code == 200, "the restored server does not know its people's sessions"
        await write(http, ada, "after-the-restore")
        await _caught_up(follower, http, servers)
        stop.set()
        await following

    seen = [events.read(frame) for number, frame in sorted(follower.frames.items()) if number > cursor]
    assert follower.wrong == []
    assert min(number for number in follower.frames if number > cursor) > made["last_number"] + 10_000_000
    assert {one.did for one in seen if isinstance(one, events.SyncMessage)} == {ada.did, ben.did}
    assert isinstance(seen[-1], events.CommitMessage)
    assert seen[-1].operations[0].path == "com.example.note/after-the-restore"


async def _caught_up(follower: Follower, http: httpx.AsyncClient, servers: Servers) -> int:
    """Wait until the follower has the server's newest event. Returns its number."""
    metrics = (await http.get(f"{servers.url}/metrics")).text
    (head,) = re.findall(r"^aurora_locus_sequencer_head_number ([0-9.e+]+)$", metrics, re.MULTILINE)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while follower.cursor < float(head):  # noqa: ASYNC110  # a follower tells nobody
            await asyncio.sleep(0.02)
    return int(float(head))
