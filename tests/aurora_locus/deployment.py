"""A whole PDS and its directory on loopback, as ``openmeet pds`` and ``openmeet plc`` run them, with a clock set by the
test.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from at_protocol.data import json_form
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import ProcedureType, QueryType
from at_protocol.lexicon.validate import validate_output
from at_protocol.sync import events
from at_protocol.syntax.did import Did
from aurora_locus.app import AuroraLocus, open_server
from aurora_locus.settings import PdsSettings
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.http.server import serving
from groundwork.settings import Secret
from groundwork.telemetry.metrics import Metrics
from plc_directory.app import create_app
from plc_directory.store import OperationLimits
from tests.aurora_locus.hosted_repository import messages
from tests.plain_http import NO_TLS

CATALOG = Catalog()
NOBODY = Did("")
ADMIN_PASSWORD = "with:a colon"
SERVER, IDENTITY = "com.atproto.server", "com.atproto.identity"


@dataclass
class Directory:
    """A real directory behind a proxy that can inject failures."""

    app: ASGIApp
    is_down: bool = False
    loses_answers: bool = False
    # Called after an operation is stored and before its response is sent.
    on_submit: Callable[[], Any] | None = None
    # Called before a query is answered.
    on_query: Callable[[], Any] | None = None
    submitted: int = 0
    url: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_submission = scope["type"] == "http" and scope["method"] == "POST"
        if self.is_down:
            await JSONResponse({"message": "down"}, 503)(scope, receive, send)
            return
        if is_submission and self.loses_answers:
            await self.app(scope, receive, _nothing)
            await JSONResponse({"message": "lost"}, 500)(scope, receive, send)
            return
        if not is_submission:
            if scope["type"] == "http" and self.on_query is not None:
                await self.on_query()
            await self.app(scope, receive, send)
            return

        async def held_back(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.submitted += 1
                if self.on_submit is not None:
                    await self.on_submit()
            await send(message)

        await self.app(scope, receive, held_back)

    async def log(self, did: str) -> list[dict[str, Any]]:
        """Every operation of an identity; empty if there is none."""
        async with httpx.AsyncClient(verify=NO_TLS, base_url=self.url, trust_env=False) as http:
            answer = await http.get(f"/{did}/log")
        return list(answer.json()) if answer.status_code == 200 else []

    async def document(self, did: str) -> httpx.Response:
        async with httpx.AsyncClient(verify=NO_TLS, base_url=self.url, trust_env=False) as http:
            return await http.get(f"/{did}")

    async def living(self) -> set[str]:
        """The identities without a tombstone."""
        async with httpx.AsyncClient(verify=NO_TLS, base_url=self.url, trust_env=False) as http:
            lines = (await http.get("/export", params={"after": 0})).text.splitlines()
        living: dict[str, bool] = {}
        for line in map(msgspec.json.decode, lines):
            living[line["did"]] = line["operation"]["type"] != "plc_tombstone"
        return {did for did, lives in living.items() if lives}


async def _nothing(_message: Any) -> None:
    return None


@dataclass(frozen=True)
class Person:
    """An account that calls methods. Every response with status 200 is checked against its Lexicon."""

    http: httpx.AsyncClient
    headers: dict[str, str] = field(default_factory=dict)
    did: Did = NOBODY
    refresh_token: str = ""

    async def get(self, nsid: str, **parameters: Any) -> httpx.Response:
        return _valid(nsid, await self.http.get(f"/xrpc/{nsid}", params=parameters, headers=self.headers))

    async def post(self, nsid: str, body: Any = None) -> httpx.Response:
        return _valid(nsid, await self.http.post(f"/xrpc/{nsid}", json=body, headers=self.headers))

    def bearing(self, token: str) -> "Person":
        return replace(self, headers={"authorization": f"Bearer {token}"})


def _valid(nsid: str, answer: httpx.Response) -> httpx.Response:
    method = CATALOG.find_method(nsid)
    assert isinstance(method, ProcedureType | QueryType)
    if answer.status_code == 200:
        if method.output is None:
            assert answer.content == b""
        else:
            validate_output(CATALOG, nsid, json_form.decode(answer.content))
    else:
        assert {"error", "message"} == answer.json().keys()
    return answer


@dataclass(frozen=True)
class Deployment:
    """The running servers and their helpers."""

    pds: AuroraLocus
    directory: Directory
    http: httpx.AsyncClient
    clock: HandClock
    settings: PdsSettings

    @property
    def url(self) -> str:
        return str(self.http.base_url).rstrip("/")

    @property
    def db(self) -> Database:
        return self.pds.registry.db

    @property
    def stranger(self) -> Person:
        return Person(self.http)

    @property
    def administration(self) -> Person:
        header = httpx.BasicAuth("admin", ADMIN_PASSWORD)._auth_header
        return Person(self.http, {"authorization": header})

    async def sign_up(self, name: str, **more: Any) -> Person:
        answer = await self.ask_to_sign_up(name, **more)
        assert answer.status_code == 200, answer.text
        return self.person(answer)

    async def ask_to_sign_up(self, name: str, **more: Any) -> httpx.Response:
        wish = {"handle": f"{name}.test", "email": f"{name}@example.org", "password": f"password of {name}", **more}
        return await self.stranger.post(
            f"{SERVER}.createAccount", {key: value for key, value in wish.items() if value is not None}
        )

    async def sign_in(self, identifier: str, password: str) -> httpx.Response:
        return await self.stranger.post(f"{SERVER}.createSession", {"identifier": identifier, "password": password})

    def person(self, answer: httpx.Response) -> Person:
        session = answer.json()
        headers = {"authorization": f"Bearer {session['accessJwt']}"}
        return Person(self.http, headers, Did(session["did"]), session["refreshJwt"])

    async def announced(self, did: Did) -> list[str]:
        """The firehose events of an account, each as a short text."""
        return [_word(message) for message in await messages(self.db, did)]

    async def count(self, table: str) -> int:
        async with self.db.reader() as reader:
            row = await reader.fetch_one(f"select count(*) from {table}")
        assert row is not None
        return int(row[0])

    async def operation_states(self) -> list[str]:
        """The states of the PLC operations, in alphabetical order."""
        async with self.db.reader() as reader:
            return [row["state"] for row in await reader.fetch("select state from plc_operations order by state")]


def _word(message: events.Sequenced) -> str:
    match message:
        case events.CommitMessage():
            return "commit"
        case events.SyncMessage():
            return "sync"
        case events.IdentityMessage():
            return f"identity {message.handle}"
        case events.AccountMessage():
            return f"account {message.status or 'active'}"


@asynccontextmanager
async def open_deployment(
    database_url: str, plc: Database, clock: HandClock, folder: Path, **changes: Any
) -> AsyncIterator[Deployment]:
    """Open everything for one test."""
    directory = Directory(
        create_app(plc, OperationLimits(hourly=0, daily=0, weekly=0), Metrics("plc"), version="test", access_log=False)
    )
    async with serving(directory) as served_directory:
        directory.url = served_directory.url
        settings = PdsSettings(
            **{
                "dev_mode": True,
                "data_directory": folder / "pds",
                "database_url": database_url,
                "did_plc_url": directory.url,
                "admin_password": Secret(ADMIN_PASSWORD),
                **changes,
            }
        )
        async with (
            open_server(settings, clock, version="test", access_log=False) as pds,
            serving(pds.app) as served,
            httpx.AsyncClient(verify=NO_TLS, base_url=served.url, trust_env=False) as http,
        ):
            yield Deployment(pds, directory, http, clock, settings)


async def together(*calls: Any) -> list[httpx.Response]:
    """Run all of them concurrently."""
    return list(await asyncio.gather(*calls))


def statuses(answers: list[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)
