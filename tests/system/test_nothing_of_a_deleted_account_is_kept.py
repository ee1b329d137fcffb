"""A whole installation after ``openmeet people erase --now``: nothing that the person wrote is readable in a file of
any part of it.

A person signs up, agrees to copies in an account that the site keeps, and writes a unique word into every field that
accepts text. Then they are deleted, and everything that is left is searched: the files of all four databases with their
logs, the folders of pictures and blobs, the queue, and the output of the programs.
"""

import asyncio
import base64
import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import PIL.Image

from tests.fork_server import FORK_SERVER
from tests.system.secrets import files_below
from tests.system.single_process import Up, running_up
from tests.system.tour.polling import eventually

# Part of every text that the person writes, so that one search finds all of it.
MARK = "zqplanted"
EMAIL = f"{MARK}mail@example.org"
START = "2037-06-01T18:00"
# The e-mails in the development mailbox have already been delivered to their recipients.
MEANT = ("mail",)
# Nobody can delete from the log of the PLC directory, and a handle stays reserved for a month. So the handle is chosen
# to reveal nothing.
HANDLE = "chosen-by-herself.test"
# The operator's log names a server that was called.
CALLED = f"{MARK}.example"


class Host:
    """The person, acting through the JSON API and the pages."""

    def __init__(self, browser: httpx.AsyncClient, api: httpx.AsyncClient) -> None:
        self.browser, self.api = browser, api

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = await self.api.request(method, path, json=body, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    async def mailed_code(self) -> str:
        async def look() -> str | None:
            found = re.search(r"Your code: (\w{4} \w{4})", (await self.browser.get("/dev/mail")).text)
            return found[1] if found else None

        return await eventually(look)

    async def sign_up(self) -> None:
        form = {"identifier": EMAIL, "next": "/"}
        asked = await self.browser.post("/sign-in", data=form)
        code = {
            "challenge": asked.headers["location"].partition("challenge=")[2],
            "code": await self.mailed_code(),
        }
        assert (await self.browser.post("/sign-in/code", data=code)).status_code == 303
        named = {"display_name": f"{MARK} name", "next": "/"}
        assert (await self.browser.post("/welcome", data=named)).status_code == 303
        asked = await self.call("POST", "/api/session/code", {"email": EMAIL})

        async def session() -> Any:
            for found in re.findall(r"Your code: (\w{4} \w{4})", (await self.browser.get("/dev/mail")).text):
                tried = await self.api.post("/api/session", json={"challengeId": asked["challengeId"], "code": found})
                if tried.is_success:
                    return tried.json()
            return None

        self.api.headers["authorization"] = f"Bearer {(await eventually(session))['token']}"

    async def agree(self) -> str:
        """Agree to copies. Returns the DID of the account that the site creates."""
        page = (await self.browser.get("/settings/publishing")).text
        typed = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page))
        answered = await self.browser.post("/settings/publishing", data={**typed, "publish": "yes", "handle": HANDLE})
        assert answered.status_code == 303, answered.text

        async def look() -> str | None:
            found = re.search(r"did:plc:[a-z2-7]{24}", (await self.api.get("/api/me/publishing/consent")).text)
            return found[0] if found else None

        return await eventually(look)


async def say_everything(host: Host) -> None:
    """Write text in every place where that is possible."""
    await host.call(
        "PUT", "/api/me", {"displayName": f"{MARK} name", "bio": f"{MARK} about me", "timeZone": "Europe/Vienna"}
    )
    content = {
        "description": f"{MARK} what happens",
        "venue": {"name": f"{MARK} hall", "street": f"{MARK} street 1", "locality": "Vienna"},
        "onlineUrl": f"https://{MARK}.example/call",
        "timeZone": "Europe/Vienna",
        "visibility": "public",
    }
    event = await host.call("POST", "/api/events", {"title": f"{MARK} tea", "startsLocal": START, **content})
    await host.call("POST", "/api/events", {"title": f"{MARK} draft", "startsLocal": START, "isDraft": True, **content})
    group = await host.call("POST", "/api/groups", {"name": f"{MARK} circle", "timeZone": "Europe/Vienna"})
    await host.call(
        "POST",
        "/api/series",
        {"title": f"{MARK} weeks", "startsLocal": START, "recurrence": "FREQ=WEEKLY;COUNT=4", **content},
    )
    await host.call("POST", f"/api/groups/{group['slug']}/announcements", {"text": f"{MARK} news"})
    await host.call("POST", "/api/searches", {"query": f"q={MARK}searched"})
    await host.call("POST", "/api/webhooks", {"url": f"https://{CALLED}/{MARK}hook", "kinds": ["event.changed"]})
    await host.call("POST", "/api/tokens", {"name": f"{MARK} program", "scopes": ["read"]})
    people = {"csv": f"name,email\n{MARK} guest,{MARK}guest@example.org\n{MARK} alone,\n", "event": event["slug"]}
    brought = await host.call("POST", "/api/imports", people)
    await host.call("POST", f"/api/imports/{brought['id']}/confirm")
    await host.call("POST", "/api/imports", people)
    # The site keeps the address of a person who was invited. It is not the inviter's data, so it is not deleted with
    # her account.
    await host.call("POST", f"/api/events/{event['slug']}/attendances", {"email": "ben@example.org"})
    await host.call("POST", f"/api/events/{event['slug']}/co-hosts", {"whom": f"{MARK}cohost@example.org"})
    await host.call("POST", f"/api/groups/{group['slug']}/mail-invitations", {"emails": [f"{MARK}member@example.org"]})
    room = await host.call("POST", "/api/chat/rooms", {"kind": "event", "event": event["slug"]})
    await host.call("POST", f"/api/chat/rooms/{room['id']}/messages", {"text": f"{MARK} said", "clientId": f"{MARK}1"})
    picture = io.BytesIO()
    PIL.Image.effect_noise((64, 64), 90).save(picture, "PNG")
    shown = {"image": base64.b64encode(picture.getvalue()).decode(), "alt": f"{MARK} picture"}
    await host.call("PUT", f"/api/events/{event['slug']}/picture", shown)
    # An export is sent to the person and not stored.
    assert MARK in (await host.browser.get("/settings/data/download")).text


def places(data: Path, up: Up) -> Iterator[tuple[str, bytes]]:
    yield from files_below(data, *MEANT)
    yield "the log", up.program.log.read_bytes().replace(f"host={CALLED}".encode(), b"")


def left(data: Path, up: Up, *marks: str) -> list[str]:
    return [
        f"{mark} in {place} at {at}: {body[max(0, at - 60) : at + 60]!r}"
        for place, body in places(data, up)
        for mark in marks
        if (at := body.find(mark.encode())) >= 0
    ]


def pictures(data: Path) -> list[str]:
    return sorted(path.name for folder in data.rglob("media") for path in folder.rglob("*") if path.is_file())


def accounts_to_delete(data: Path) -> int:
    """How many jobs for custodial accounts are not done yet."""
    with closing(sqlite3.connect(f"file:{data / 'openmeet' / 'openmeet.db'}?mode=ro", uri=True)) as connection:
        statement = "select count(*) from outbox_jobs where kind = 'delete_custodial_account' and state <> 'completed'"
        return int(connection.execute(statement).fetchone()[0])


async def test_single_machine_installation_keeps_nothing_of_a_deleted_account(tmp_path: Path) -> None:
    data = tmp_path / "var"
    async with running_up(tmp_path, "--data", str(data), environment={"OPENMEET_LOG_LEVEL": "debug"}) as up:
        options: dict[str, Any] = {"headers": {"origin": up.openmeet}, "timeout": 60, "trust_env": False}
        async with (
            httpx.AsyncClient(base_url=up.openmeet, **options) as browser,
            httpx.AsyncClient(base_url=up.openmeet, **options) as api,
        ):
            host = Host(browser, api)
            await host.sign_up()
            did = await host.agree()
            await say_everything(host)

            async def is_published() -> bool | None:
                # Wait until the records are in the repository of the account that the site keeps, and have come back
                # through the queue.
                return (
                    f"{MARK} tea".encode() in b"".join(body for name, body in places(data, up) if "pds" in name)
                ) or None

            await eventually(is_published)
        before = {place for place, body in places(data, up) if MARK.encode() in body}
        assert any("openmeet.db" in place for place in before)
        assert any("pds.db" in place for place in before)
        shown = pictures(data)
        assert shown
        erased = await asyncio.to_thread(
            FORK_SERVER.run,
            *("people", "erase", EMAIL, "--now", "--yes", "--settings", str(data / "settings.toml")),
            environment={},
        )
        assert erased.returncode == 0, erased.stderr
        assert did in erased.stdout

        async def is_gone_there() -> bool | None:
            return accounts_to_delete(data) == 0 or None

        await eventually(is_gone_there)
        assert left(data, up, MARK) == []
        assert pictures(data) == []
    assert left(data, up, MARK) == []
