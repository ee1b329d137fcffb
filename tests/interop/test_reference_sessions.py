"""Compares sessions, app passwords and stream cursors with the reference PDS, using the same requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import ClientSession

from at_protocol.sync import events
from groundwork.clock import SystemClock
from tests.aurora_locus.deployment import open_deployment
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.simulation.processes import free_port
from tests.simulation.reference_pds import ReferencePds

pytestmark = needs("reference")

SERVER, IDENTITY = "com.atproto.server", "com.atproto.identity"
PASSWORD = "password of ana"


@dataclass
class Side:
    """One of the servers, with Ana's account and an app password of hers."""

    http: httpx.AsyncClient
    did: str
    own: dict[str, str]
    app: dict[str, str]
    app_refresh: dict[str, str]

    async def ask(self, method: str, nsid: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        answer = await self.http.request(method, f"/xrpc/{nsid}", json=body, headers=headers)
        return answer.status_code, answer.json() if answer.content else None


async def _side(http: httpx.AsyncClient) -> Side:
    async def post(nsid: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        answer = await http.post(f"/xrpc/{SERVER}.{nsid}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    made = await post("createAccount", {"handle": "ana.test", "email": "ana@example.org", "password": PASSWORD})
    own = {"authorization": f"Bearer {made['accessJwt']}"}
    app_password = (await post("createAppPassword", {"name": "app"}, own))["password"]
    opened = await post("createSession", {"identifier": "ana.test", "password": app_password})
    app, refresh = ({"authorization": f"Bearer {opened[name]}"} for name in ("accessJwt", "refreshJwt"))
    return Side(http, made["did"], own, app, refresh)


@asynccontextmanager
async def _both(make_sqlite: MakeDatabase, folder: Path, *, documents: bool) -> AsyncIterator[tuple[Side, Side]]:
    clock, port = SystemClock(), free_port()
    plc = await make_sqlite("plc_directory", clock=clock)
    own = {"enable_did_doc_with_session": documents, "port": port}
    async with open_deployment(f"sqlite://{folder / 'pds.db'}", plc, clock, folder, **own) as deployment:
        settings = {"PDS_ENABLE_DID_DOC_WITH_SESSION": "true" if documents else "false"}
        # The reference does not call a directory whose host is an IP address.
        directory = deployment.directory.url.replace("127.0.0.1", "localhost")
        reference = ReferencePds(folder / "reference", directory, settings=settings)
        await reference.start()
        try:
            async with httpx.AsyncClient(base_url=reference.url, trust_env=False) as http:
                yield await _side(deployment.http), await _side(http)
        finally:
            await reference.stop()


@pytest.mark.parametrize("documents", [True, False])
async def test_sessions_include_the_did_document_if_set(
    make_sqlite: MakeDatabase, tmp_path: Path, *, documents: bool
) -> None:
    """createSession, getSession and refreshSession include the directory's DID document, with the account's own key and
    server, if the setting says so.
    """
    async with _both(make_sqlite, tmp_path, documents=documents) as sides:
        for side in sides:
            login = {"identifier": "ana.test", "password": PASSWORD}
            answers = [
                await side.ask("POST", f"{SERVER}.createSession", login, {}),
                await side.ask("GET", f"{SERVER}.getSession", None, side.own),
                await side.ask("POST", f"{SERVER}.refreshSession", None, side.app_refresh),
            ]
            for status, session in answers:
                assert (status, "didDoc" in session) == (200, documents)
                if documents:
                    assert session["didDoc"]["id"] == side.did
                    assert session["didDoc"]["alsoKnownAs"] == ["at://ana.test"]


# What an app password may and may not do, and the error name of the refusal.
BY_APP = [
    ("GET", f"{SERVER}.listAppPasswords", None),
    ("POST", f"{SERVER}.createAppPassword", {"name": "another"}),
    ("POST", f"{SERVER}.deactivateAccount", {}),
    ("POST", f"{SERVER}.activateAccount", None),
    ("POST", f"{SERVER}.requestAccountDelete", None),
    ("POST", f"{SERVER}.requestEmailUpdate", None),
    ("GET", f"{SERVER}.getAccountInviteCodes", None),
    ("POST", f"{IDENTITY}.requestPlcOperationSignature", None),
    ("POST", f"{IDENTITY}.signPlcOperation", {}),
    ("GET", "com.atproto.temp.checkSignupQueue", None),
    ("POST", f"{IDENTITY}.updateHandle", {"handle": "anabel.test"}),
    ("GET", f"{SERVER}.getSession", None),
    ("POST", f"{SERVER}.revokeAppPassword", {"name": "nothing has it"}),
]


async def test_app_passwords_have_the_same_permissions(make_sqlite: MakeDatabase, tmp_path: Path) -> None:
    async with _both(make_sqlite, tmp_path, documents=False) as sides:
        found = []
        for side in sides:
            answers = [await side.ask(method, nsid, body, side.app) for method, nsid, body in BY_APP]
            found.append(
                [
                    (nsid, status, (answer or {}).get("error"), (answer or {}).get("handle"))
                    for (_, nsid, _), (status, answer) in zip(BY_APP, answers, strict=True)
                ]
            )
            nobody = await side.ask("GET", "com.atproto.temp.checkSignupQueue", None, {})
            found[-1].append(("nobody", nobody[0], nobody[1]["error"], None))
            queue = await side.ask("GET", "com.atproto.temp.checkSignupQueue", None, side.own)
            assert queue == (200, {"activated": True})
        assert found[0] == found[1]
        assert ("com.atproto.server.listAppPasswords", 200, None, None) in found[0]


async def _first_frame(url: str, cursor: int) -> events.Message:
    address = f"{url.replace('http', 'ws', 1)}/xrpc/com.atproto.sync.subscribeRepos?cursor={cursor}"
    async with ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
        return events.read((await socket.receive()).data)


async def test_old_cursor_is_reported_by_the_window_alone(make_sqlite: MakeDatabase, tmp_path: Path) -> None:
    """An old cursor is reported by the time window alone. The reference checks the time of the next event at the
    request, and so do we, whether or not events were deleted.
    """
    clock = SystemClock()
    plc = await make_sqlite("plc_directory", clock=clock)
    window = {"repo_backfill_limit_ms": 1}
    async with open_deployment(f"sqlite://{tmp_path / 'pds.db'}", plc, clock, tmp_path, **window) as deployment:
        reference = ReferencePds(
            tmp_path / "reference", deployment.directory.url, settings={"PDS_REPO_BACKFILL_LIMIT_MS": "1"}
        )
        await reference.start()
        try:
            async with httpx.AsyncClient(base_url=reference.url, trust_env=False) as http:
                await _side(deployment.http)
                await _side(http)
            for url in (deployment.url, reference.url):
                first = await _first_frame(url, 1)
                assert isinstance(first, events.InfoMessage)
                assert first.name == "OutdatedCursor"
        finally:
            await reference.stop()
