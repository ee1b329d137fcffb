"""Every fault of a PDS that is visible from outside, simulated by a proxy in front of a real one, and the finding for
it.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.databases import MakeDatabase
from tests.simulation.processes import free_port
from typer.testing import CliRunner

from aurora_locus.app import open_server
from aurora_locus.settings import PdsSettings
from groundwork.clock import SECOND, HandClock, Instant, SystemClock
from groundwork.errors import InvalidInput
from groundwork.http.server import serving
from groundwork.telemetry.metrics import Metrics
from plc_directory.app import create_app
from plc_directory.store import OperationLimits
from programs.commands.pds import check
from programs.doctor import stream
from programs.doctor.finding import CheckFinding, CheckVerdict
from programs.doctor.target import target
from programs.doctor.walk import CheckOptions, examine

PASSWORD = "a password for a moment"
Change = Callable[[Message], Message]


@dataclass
class Faulty:
    """A proxy before the server that answers in its place, changes responses, or blocks WebSockets."""

    app: ASGIApp | None = None
    instead: dict[str, ASGIApp] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    passes_websockets: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        path = str(scope.get("path", "")).rpartition("/")[2]
        if scope["type"] == "websocket" and not self.passes_websockets:
            await send({"type": "websocket.close"})
            return
        instead = self.instead.get(f"{scope.get('method')} {path}") or self.instead.get(path)
        if instead is not None:
            await instead(scope, receive, send)
            return
        change = self.changes.get(path)

        async def changed(message: Message) -> None:
            await send(message if change is None else change(message))

        await self.app(scope, receive, changed)


@pytest.fixture(autouse=True)
def _listens_briefly(monkeypatch: pytest.MonkeyPatch, cost_of_passwords: None) -> None:
    """A busy machine still sends the first frame in this time."""
    monkeypatch.setattr(stream, "SILENCE_SECONDS", 1.0)


@dataclass(frozen=True)
class Host:
    """A PDS on this machine, its proxy, and an account with some records."""

    url: str
    plc_url: str
    front: Faulty
    did: str

    async def findings(self, **wishes: Any) -> dict[str, CheckFinding]:
        """The findings by topic."""
        async with target(self.url, SystemClock(), directory_url=self.plc_url) as host:
            return {finding.about: finding async for finding in examine(host, CheckOptions(**wishes))}


@asynccontextmanager
async def open_host(make_sqlite: MakeDatabase, folder: Path, **changes: Any) -> AsyncIterator[Host]:
    port, front = free_port(), Faulty()
    url = f"http://localhost:{port}"
    directory = create_app(
        await make_sqlite("plc_directory"),
        OperationLimits(hourly=0, daily=0, weekly=0),
        Metrics("plc"),
        version="test",
        access_log=False,
    )
    async with serving(directory) as plc:
        settings = PdsSettings(
            **{
                "dev_mode": True,
                "public_url": url,
                "data_directory": folder / "pds",
                "did_plc_url": plc.url,
                **changes,
            }
        )
        async with (
            open_server(settings, SystemClock(), version="test", access_log=False) as pds,
            serving(front, port=port),
        ):
            front.app = pds.app
            async with httpx.AsyncClient(base_url=f"{url}/xrpc/", trust_env=False) as http:
                wish = {"handle": "ana.test", "email": "ana@example.org", "password": PASSWORD}
                made = (await http.post("com.atproto.server.createAccount", json=wish)).json()
                http.headers["authorization"] = f"Bearer {made['accessJwt']}"
                for number in range(3):
                    record = {"$type": "org.example.note", "text": f"note {number}"}
                    body = {"repo": made["did"], "collection": "org.example.note", "record": record}
                    assert (await http.post("com.atproto.repo.createRecord", json=body)).status_code == 200
            yield Host(url, plc.url, front, made["did"])


@pytest.fixture
async def host(make_sqlite: MakeDatabase, tmp_path: Path) -> AsyncIterator[Host]:
    async with open_host(make_sqlite, tmp_path) as opened:
        yield opened


def says(status: int) -> ASGIApp:
    return PlainTextResponse("no", status_code=status)


def says_json(value: Any) -> ASGIApp:
    return JSONResponse(value)


def flipped(message: Message) -> Message:
    """The body with one bit of its last bytes flipped."""
    body = message.get("body", b"")
    return {**message, "body": body[:-1] + bytes([body[-1] ^ 1])} if body else message


async def test_healthy_host_has_no_fault(host: Host) -> None:
    found = await host.findings(account="ana.test", password=PASSWORD)
    assert {about for about, finding in found.items() if finding.verdict is CheckVerdict.WRONG} == set()
    assert "3 records, all hashes and the signature are correct" in found["repository"].found
    assert "5 commits verified" in found["firehose"].found, "three notes, the empty repository's commit and #sync"
    assert found["record write"].verdict is CheckVerdict.GOOD
    again = await host.findings()
    assert "3 records" in again["repository"].found, "the test records are deleted again"


@pytest.mark.parametrize(
    ("put", "about", "words"),
    [
        pytest.param({"_health": says(502)}, "address", "status 502", id="proxy without a server"),
        pytest.param({"com.atproto.server.describeServer": says(404)}, "description", "", id="no PDS"),
        pytest.param({"OPTIONS com.atproto.server.createSession": says(405)}, "browsers", "OPTIONS", id="no CORS"),
        pytest.param({"oauth-protected-resource": says(404)}, "sign-in", "404", id="no OAuth documents"),
        pytest.param(
            {"oauth-protected-resource": says_json({"authorization_servers": ["a", "b"]})},
            "sign-in",
            "are not valid",
            id="two authorization servers",
        ),
        pytest.param({"com.atproto.sync.listRepos": says(403)}, "accounts", "cannot be listed", id="no enumeration"),
        pytest.param({"com.atproto.sync.getRepo": says(500)}, "repository", "cannot be read", id="no repository"),
        pytest.param(
            {"com.atproto.sync.listRepos": says_json({"repos": [{"did": "did:plc:" + "a" * 24, "active": True}]})},
            "identity",
            "There is no identity",
            id="an account nobody knows",
        ),
        pytest.param(
            {"com.atproto.sync.listRepos": says_json({"repos": [{"did": "ana", "active": True}]})},
            "accounts",
            "not all DIDs",
            id="an account without a DID",
        ),
    ],
)
async def test_faults_of_a_proxy_are_found(host: Host, put: dict[str, ASGIApp], about: str, words: str) -> None:
    host.front.instead |= put
    finding = (await host.findings())[about]
    assert finding.verdict is CheckVerdict.WRONG
    assert words in finding.found
    assert finding.remedy


async def test_flipped_bit_in_a_repository_is_found(host: Host) -> None:
    host.front.changes["com.atproto.sync.getRepo"] = flipped
    finding = (await host.findings())["repository"]
    assert finding.verdict is CheckVerdict.WRONG
    assert "is not valid" in finding.found


async def test_wrong_clock_is_found(host: Host) -> None:
    off = HandClock(Instant(SystemClock().now() - 3600 * SECOND))
    async with target(host.url, off, directory_url=host.plc_url) as looked_at:
        found = {finding.about: finding async for finding in examine(looked_at, CheckOptions())}
    assert found["clock"].verdict is CheckVerdict.WRONG
    apart = re.search(r"(\d+) s apart", found["clock"].found)
    assert apart is not None
    # The clock in the test stands still while the server's runs.
    assert 3540 <= int(apart[1]) <= 3600


async def test_date_without_a_zone_is_in_utc(host: Host) -> None:
    """RFC 5322, section 3.3: ``-0000`` says nothing about the zone of the sender."""
    now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S -0000")
    host.front.instead["_health"] = JSONResponse({"version": "1"}, headers={"date": now})
    assert (await host.findings())["clock"].verdict is CheckVerdict.GOOD


async def test_blocked_websockets_are_found(host: Host) -> None:
    host.front.passes_websockets = False
    finding = (await host.findings())["firehose"]
    assert finding.verdict is CheckVerdict.WRONG
    assert "Upgrade" in (finding.remedy or "")


async def test_changed_frame_is_found(host: Host) -> None:
    def change(message: Message) -> Message:
        body = message.get("bytes") or b""
        return {**message, "bytes": body.replace(b"org.example.note", b"org.example.nota")} if body else message

    host.front.changes["com.atproto.sync.subscribeRepos"] = change
    finding = (await host.findings())["firehose"]
    assert finding.verdict is CheckVerdict.WRONG
    assert "would be refused" in finding.found or "cannot be read" in finding.found


async def test_account_on_another_server_is_found(make_sqlite: MakeDatabase, tmp_path: Path, host: Host) -> None:
    async with open_host(make_sqlite, tmp_path / "other") as other:
        listed = {"repos": [{"did": host.did, "active": True}]}
        other.front.instead["com.atproto.sync.listRepos"] = says_json(listed)
        async with target(other.url, SystemClock(), directory_url=host.plc_url) as looked_at:
            found = {finding.about: finding async for finding in examine(looked_at, CheckOptions())}
    assert found["identity"].verdict is CheckVerdict.WRONG
    assert ", not http" in found["identity"].found


async def test_wrong_password_is_found(host: Host) -> None:
    finding = (await host.findings(account="ana.test", password="another"))["record write"]
    assert finding.verdict is CheckVerdict.WRONG
    assert "cannot sign in" in finding.found


async def test_relays_are_not_asked_about_this_machine(host: Host) -> None:
    assert (await host.findings(relay="https://relay.invalid"))["relay"].verdict is CheckVerdict.SKIPPED


@pytest.mark.parametrize(
    "address", ["ftp://pds.example.org", "http://pds.example.org", "https://pds.example.org/x", ""]
)
def test_address_without_a_server(address: str) -> None:
    with pytest.raises(InvalidInput):
        target(address, SystemClock())


def test_the_command_exits_with_1_and_shows_how_to_fix_it() -> None:
    said = CliRunner().invoke(check.app, [f"http://localhost:{free_port()}"])
    assert said.exit_code == 1
    assert "WRONG address" in said.stdout
    assert "→" in said.stdout
    assert "1 problem to fix." in said.stdout


def test_writing_needs_an_account() -> None:
    assert CliRunner().invoke(check.app, ["pds.example.org", "--write"]).exit_code == 2
    # No person answers a prompt here.
    unasked = CliRunner().invoke(check.app, ["pds.example.org", "--write", "--account", "ana.example.org"])
    assert unasked.exit_code == 2
    assert "OPENMEET_CHECK_PASSWORD" in unasked.output
