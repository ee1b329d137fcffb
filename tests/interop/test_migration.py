"""Moves between the reference PDS and ours in both directions keep records, blobs, preferences and the identity."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from at_network.migration import account, copy, identity, migrate, servers
from at_network.migration.account import NewAccount
from at_network.migration.migrate import Migration
from at_network.plc_client import PlcClient
from groundwork.clock import SystemClock
from groundwork.errors import Failure
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Sender
from groundwork.mail.folder import FolderMailbox
from tests.external_dependencies import needs
from tests.simulation.processes import Program, free_port
from tests.simulation.reference_pds import ReferencePds
from tests.timeouts import TIMEOUT_SECONDS

pytestmark = needs("reference")

TOKEN = re.compile(r"\b([A-Z2-7]{5}-[A-Z2-7]{5})\b", re.IGNORECASE)
NOTE, POST = "org.example.note", "app.bsky.feed.post"
OLD_PASSWORD, NEW_PASSWORD = "password of the old server", "password of the new server"
MAIL = "ana@example.org"


@dataclass
class World:
    """A directory, our PDS and the reference PDS, each in a process of its own."""

    plc_url: str
    ours_url: str
    ours_folder: Path
    reference: ReferencePds
    http: HttpClient
    folder: Path

    async def our_token(self) -> str:
        mailbox = FolderMailbox(
            self.ours_folder / "mail", Sender("test", parse_address("test@example.org")), SystemClock()
        )
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not (letters := await mailbox.newest(to=MAIL)):  # noqa: ASYNC110 - a server's own task writes it
                await asyncio.sleep(0.05)
        return _token(letters[0].text)

    async def reference_token(self) -> str:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not (found := [mail for mail in self.reference.mails() if TOKEN.search(mail["text"])]):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        return _token(found[-1]["text"])

    async def move(self, old_url: str, new_url: str, old_handle: str, new_handle: str) -> Migration:
        clock = SystemClock()
        old = await servers.sign_in(self.http, clock, old_url, old_handle, OLD_PASSWORD)
        wanted = NewAccount(handle=new_handle, email=MAIL, password=NEW_PASSWORD)
        new, _ = await account.sign_in_or_create(self.http, clock, old, new_url, wanted)
        return Migration(old, new, self.folder, PlcClient(self.http, self.plc_url))


def _token(text: str) -> str:
    found = TOKEN.search(text)
    assert found is not None, text
    return found[1]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    plc_port, pds_port = free_port(), free_port()
    plc_url, pds_url = f"http://localhost:{plc_port}", f"http://localhost:{pds_port}"
    settings = {"PLC_PORT": str(plc_port), "PLC_DATA_DIRECTORY": str(tmp_path / "plc"), "PLC_HOURLY_LIMIT": "0"}
    plc = Program("plc", settings, tmp_path / "plc.log", f"{plc_url}/_health")
    await plc.start()
    settings = {
        "PDS_DEV_MODE": "true",
        "PDS_PORT": str(pds_port),
        "PDS_PUBLIC_URL": pds_url,
        "PDS_DATA_DIRECTORY": str(tmp_path / "ours"),
        "PDS_DID_PLC_URL": plc_url,
        "PDS_SERVICE_HANDLE_DOMAINS": ".ours.test",
    }
    pds = Program("pds", settings, tmp_path / "ours.log", f"{pds_url}/xrpc/_health")
    # The reference stores preferences only if an app view is configured; no test here calls it.
    app_view = {"PDS_BSKY_APP_VIEW_URL": "http://localhost:9", "PDS_BSKY_APP_VIEW_DID": "did:web:app.example.com"}
    reference = ReferencePds(tmp_path / "reference", plc_url, settings=app_view)
    http = HttpClient(DEVELOPMENT)
    try:
        await pds.start()
        await reference.start()
        yield World(plc_url, pds_url, tmp_path / "ours", reference, http, tmp_path / "moving")
        assert "Traceback" not in pds.said()
    finally:
        await http.close()
        await reference.stop()
        await pds.stop()
        await plc.stop()


class Account:
    """An account on a server, over plain HTTP."""

    def __init__(self, url: str, session: dict[str, Any]) -> None:
        self.did: str = session["did"]
        self._http = httpx.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {session['accessJwt']}"}, trust_env=False
        )

    @classmethod
    async def make(cls, url: str, handle: str) -> "Account":
        wish = {"handle": handle, "email": MAIL, "password": OLD_PASSWORD}
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            made = await http.post("/xrpc/com.atproto.server.createAccount", json=wish)
        assert made.status_code == 200, made.text
        return cls(url, made.json())

    async def call(self, nsid: str, body: Any) -> Any:
        answer = await self._http.post(f"/xrpc/{nsid}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    async def add_content(self) -> None:
        """Add ninety records in two collections, four blobs, an update, a deletion and preferences."""
        blobs = []
        for number in range(4):
            content = b"\x89PNG\r\n\x1a\n" + bytes([number]) * (5000 * number + 1)
            headers = {"content-type": "image/png"}
            answer = await self._http.post("/xrpc/com.atproto.repo.uploadBlob", content=content, headers=headers)
            assert answer.status_code == 200, answer.text
            blobs.append(answer.json()["blob"])
        writes = []
        for number in range(80):
            value = {"$type": NOTE, "text": f"nöte {number}", "n": number, "list": [1, None, {"deep": True}]}
            what = "com.atproto.repo.applyWrites#create"
            writes.append({"$type": what, "collection": NOTE, "rkey": f"note-{number}", "value": value})
        await self.call("com.atproto.repo.applyWrites", {"repo": self.did, "validate": False, "writes": writes})
        for number, blob in enumerate([*blobs, *blobs, *blobs]):
            embed = {"$type": "app.bsky.embed.images", "images": [{"alt": "a picture", "image": blob}]}
            at = f"2026-11-20T10:00:{number:02}.000Z"
            post = {"$type": POST, "text": f"post {number}", "createdAt": at, "embed": embed}
            await self.call("com.atproto.repo.createRecord", {"repo": self.did, "collection": POST, "record": post})
        changed = {"repo": self.did, "collection": NOTE, "rkey": "note-3", "record": {"$type": NOTE, "text": "changed"}}
        await self.call("com.atproto.repo.putRecord", {**changed, "validate": False})
        await self.call("com.atproto.repo.deleteRecord", {"repo": self.did, "collection": NOTE, "rkey": "note-5"})
        preferences = [
            {"$type": "app.bsky.actor.defs#adultContentPref", "enabled": False},
            {"$type": "app.bsky.actor.defs#contentLabelPref", "label": "spam", "visibility": "hide"},
        ]
        await self.call("app.bsky.actor.putPreferences", {"preferences": preferences})

    async def preferences(self) -> list[Any]:
        answer = await self._http.get("/xrpc/app.bsky.actor.getPreferences")
        return [one for one in answer.json()["preferences"] if "Age" not in one["$type"]]

    async def close(self) -> None:
        await self._http.aclose()


async def seen(url: str, did: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Every record and every blob of the account, read anonymously."""
    records: dict[str, Any] = {}
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        for collection in (NOTE, POST):
            cursor: str | None = None
            while True:
                wish = {"repo": did, "collection": collection, "limit": "50", **({"cursor": cursor} if cursor else {})}
                page = await http.get("/xrpc/com.atproto.repo.listRecords", params=wish)
                assert page.status_code == 200, page.text
                records |= {one["uri"]: (one["cid"], one["value"]) for one in page.json()["records"]}
                cursor = page.json().get("cursor")
                if not cursor:
                    break
        listed = await http.get("/xrpc/com.atproto.sync.listBlobs", params={"did": did, "limit": "500"})
        blobs = {}
        for cid in listed.json()["cids"]:
            answer = await http.get("/xrpc/com.atproto.sync.getBlob", params={"did": did, "cid": cid})
            assert answer.status_code == 200, answer.text
            blobs[cid] = answer.content
    return records, blobs


async def document(world: World, did: str) -> Any:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"{world.plc_url}/{did}")).json()


async def moved(
    world: World, old: tuple[str, str], new: tuple[str, str], token: Callable[[], Any], *, interrupted: bool
) -> None:
    """Create an account at ``old`` (URL and handle), move it to ``new``, and compare."""
    ana = await Account.make(*old)
    await ana.add_content()
    before = await seen(old[0], ana.did)
    preferences = await ana.preferences()
    assert (len(before[0]), len(before[1]), len(preferences)) == (91, 4, 2)

    move = await world.move(old[0], new[0], old[1], new[1])
    if interrupted:
        await copy.copy_repository(move.old, move.new, world.folder, move.on_progress)
        move = await world.move(old[0], new[0], old[1], new[1])
    outcome = await migrate.copy_account(move)
    assert (outcome.records, outcome.blobs_brought, outcome.preferences) == (91, 4, 2)
    assert (outcome.missing_blobs, outcome.differences) == ([], [])
    with pytest.raises(Failure):
        await move.new.client.procedure("com.atproto.server.activateAccount")
    await identity.ask_for_token(move.old)
    await migrate.finish(move, await token())

    assert await seen(new[0], ana.did) == before
    said = await document(world, ana.did)
    assert said["service"][0]["serviceEndpoint"] == new[0]
    assert said["alsoKnownAs"] == [f"at://{new[1]}"]
    clock = SystemClock()
    there = await servers.sign_in(world.http, clock, new[0], new[1], NEW_PASSWORD)
    kept = (await there.client.query("app.bsky.actor.getPreferences"))["preferences"]
    assert isinstance(kept, list)
    assert [one for one in kept if "Age" not in one["$type"]] == preferences
    body = {"repo": ana.did, "collection": NOTE, "record": {"$type": NOTE, "text": "at home"}, "validate": False}
    await there.client.procedure("com.atproto.repo.createRecord", body)
    assert (await servers.status(there))["activated"] is True
    await ana.close()


@pytest.mark.parametrize("interrupted", [False, True], ids=["straight", "interrupted"])
async def test_account_moves_from_the_reference_pds(world: World, interrupted: bool) -> None:
    old, new = (world.reference.url, "ana.test"), (world.ours_url, "ana.ours.test")
    await moved(world, old, new, world.reference_token, interrupted=interrupted)


async def test_account_moves_to_the_reference_pds(world: World) -> None:
    old, new = (world.ours_url, "ana.ours.test"), (world.reference.url, "ana.test")
    await moved(world, old, new, world.our_token, interrupted=True)
