"""Two servers with the same settings and the same people that receive the same requests."""

import asyncio
import base64
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import msgspec
import pytest

from groundwork.clock import SECOND, SystemClock
from groundwork.http.server import serving
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Sender
from groundwork.mail.folder import FolderMailbox
from groundwork.settings import Secret
from tests.aurora_locus.deployment import ADMIN_PASSWORD, open_deployment
from tests.aurora_locus.remote_service import RemoteService, open_remote_service
from tests.databases import SqliteFiles
from tests.interop.parity.answers import Exchange, exchange
from tests.passwords import hash_cheaply
from tests.simulation.processes import free_port
from tests.simulation.reference_pds import ReferencePds
from tests.timeouts import TIMEOUT_SECONDS

# People whom several groups name by handle or address. They exist from the start, so that no group depends on another.
NAMED_EVERYWHERE = ("carol", "flo", "ida")
BYPASS_KEY = "a key with which nobody is counted"
_SERVER = "com.atproto.server"
_CODE = re.compile(r"\b[A-Z2-7]{5}-[A-Z2-7]{5}\b")
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Account:
    """An account with the same name at both servers. Each value of ``headers`` is a way to authenticate."""

    did: str
    handle: str
    email: str
    password: str
    access: dict[str, str]
    refresh: dict[str, str]


@dataclass
class Side:
    """One of the servers. ``names`` maps its own values to names. ``exchanges`` collects the requests since they were
    last taken. ``age`` makes all events below a sequence number old. ``mails`` returns what was sent to an address,
    newest first.
    """

    http: httpx.AsyncClient
    did: str
    service: RemoteService
    admin: dict[str, str]
    age: Callable[[int], None]
    mails: Callable[[str], Awaitable[list[str]]]
    names: dict[str, str] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    people: dict[str, tuple[Account, Account]] = field(default_factory=dict)

    async def ask(
        self,
        label: str,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        query: Any = None,
        headers: dict[str, str] | None = None,
        counted: bool = False,
    ) -> httpx.Response:
        """Send a request and record the exchange. A path without a leading slash is the NSID of a method."""
        address = path if path.startswith("/") else f"/xrpc/{path}"
        sent = {**({} if counted else {"x-ratelimit-bypass": BYPASS_KEY}), **(headers or {})}
        if json is not None:
            content = msgspec.json.encode(json)
            sent = {"content-type": "application/json", **sent}
        request = self.http.build_request(method, address, content=content, params=query, headers=sent)
        answer = await self.http.send(request)
        shown = " ".join(f"{name}={value[:20]}" for name, value in sent.items() if name != "x-ratelimit-bypass")
        told = (
            f"{method} {unquote(request.url.raw_path.decode())} {shown} "
            f"{(content or b'')[:300].decode(errors='replace')}"
        )
        self.exchanges.append(exchange(label, told, answer, self.names, counted))
        return answer

    async def get(self, label: str, nsid: str, *, headers: dict[str, str] | None = None, **query: Any) -> Any:
        """Call a query and return its decoded response if it is JSON."""
        return _decoded(await self.ask(label, "GET", nsid, query=query, headers=headers))

    async def post(self, label: str, nsid: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Call a procedure and return its decoded response if it is JSON."""
        return _decoded(await self.ask(label, "POST", nsid, json=body, headers=headers))

    async def person(self, name: str) -> tuple[Account, Account]:
        """An account with one note, authenticated as itself and as an app; created on first use."""
        if name not in self.people:
            somebody = await self.sign_up(name)
            note = {"$type": "org.example.note", "text": "a note"}
            body = {"repo": somebody.did, "collection": "org.example.note", "rkey": "first", "record": note}
            await self.call("com.atproto.repo.putRecord", body, somebody.access)
            self.people[name] = somebody, await self.by_app_password(somebody, "app")
        return self.people[name]

    async def sign_up(self, name: str) -> Account:
        """Create an account without comparing the response."""
        email, password = f"{name}@example.org", f"password of {name}"
        made = await self.call(
            f"{_SERVER}.createAccount", {"handle": f"{name}.test", "email": email, "password": password}
        )
        self.names[made["did"]] = f"<{name}>"
        return Account(
            made["did"], f"{name}.test", email, password, bearer(made["accessJwt"]), bearer(made["refreshJwt"])
        )

    async def sign_in(self, account: Account, password: str | None = None) -> Account:
        """The same account with the tokens of another session."""
        body = {"identifier": account.did, "password": password or account.password}
        opened = await self.call(f"{_SERVER}.createSession", body)
        return replace(account, access=bearer(opened["accessJwt"]), refresh=bearer(opened["refreshJwt"]))

    async def by_app_password(self, account: Account, name: str, *, privileged: bool = False) -> Account:
        """The same account, authenticated with a new app password."""
        made = await self.call(f"{_SERVER}.createAppPassword", {"name": name, "privileged": privileged}, account.access)
        return await self.sign_in(account, made["password"])

    async def mailed_code(self, account: Account, nsid: str) -> str:
        """The code that is e-mailed to an account that requests it with this procedure."""
        before = len(await self.mails(account.email))
        await self.call(nsid, None, account.access)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while len(found := await self.mails(account.email)) == before:  # noqa: ASYNC110 - a folder and a file tell nobody
                await asyncio.sleep(0.05)
        code = _CODE.search(found[0])
        assert code is not None, found[0]
        return code[0]

    async def call(self, nsid: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        """Call a procedure that must succeed, without comparing the response."""
        sent = {"x-ratelimit-bypass": BYPASS_KEY, **(headers or {})}
        answer = await self.http.post(f"/xrpc/{nsid}", json=body, headers=sent)
        assert answer.status_code == 200, answer.text
        return _decoded(answer)


@dataclass(frozen=True)
class Sides:
    """Both servers."""

    ours: Side
    reference: Side

    async def both(self, asking: Callable[[Side], Awaitable[None]]) -> list[tuple[Exchange, Exchange]]:
        """Send both servers the same request; returns pairs of responses."""
        for side in (self.ours, self.reference):
            side.exchanges.clear()
        await asyncio.gather(asking(self.ours), asking(self.reference))
        return list(zip(self.ours.exchanges, self.reference.exchanges, strict=True))


def bearer(token: str) -> dict[str, str]:
    """The header for a bearer token."""
    return {"authorization": f"Bearer {token}"}


def basic(user: str, password: str) -> dict[str, str]:
    """The header for a password (RFC 7617)."""
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _decoded(answer: httpx.Response) -> Any:
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return answer.json() if is_json and answer.content else None


@asynccontextmanager
async def open_sides(folder: Path, templates: Path, *, has_services: bool = False) -> AsyncIterator[Sides]:
    """Open both servers with one directory and one other service, which with ``has_services`` is their app view and
    their service for moderation and reports.
    """
    clock, port = SystemClock(), free_port()
    files = SqliteFiles(folder, templates, clock)
    with pytest.MonkeyPatch.context() as patch:
        hash_cheaply(patch)
        plc = await files("plc_directory")
        settings = {"port": port, "rate_limit_bypass_key": Secret(BYPASS_KEY), "enable_did_doc_with_session": True}
        async with (
            open_remote_service() as service,
            open_deployment(
                f"sqlite://{folder / 'pds.db'}", plc, clock, folder, **settings, **_services(service, has_services)
            ) as deployment,
            serving(deployment.pds.app, port=port),
        ):
            # The reference does not call a directory whose host is an IP address.
            directory = deployment.directory.url.replace("127.0.0.1", "localhost")
            theirs = {
                "PDS_RATE_LIMITS_ENABLED": "true",
                "PDS_RATE_LIMIT_BYPASS_KEY": BYPASS_KEY,
                "PDS_ENABLE_DID_DOC_WITH_SESSION": "true",
                **{f"PDS_{name.upper()}": value for name, value in _services(service, has_services).items()},
            }
            reference = ReferencePds(folder / "reference", directory, settings=theirs, admin_password=ADMIN_PASSWORD)
            await reference.start()
            sender = Sender("test", parse_address("test@example.org"))
            mailbox = FolderMailbox(deployment.settings.data_directory / "mail", sender, clock)

            async def our_mails(to: str) -> list[str]:
                return [mail.text for mail in await mailbox.newest(to=to)]

            async def their_mails(to: str) -> list[str]:
                return [mail["text"] for mail in reversed(reference.mails()) if to in mail["to"]]

            try:
                async with (
                    httpx.AsyncClient(base_url=deployment.settings.url, trust_env=False) as to_us,
                    httpx.AsyncClient(base_url=reference.url, trust_env=False) as to_them,
                ):
                    sides = Sides(
                        _side(
                            to_us, deployment.settings.did, service, partial(_age_ours, folder / "pds.db"), our_mails
                        ),
                        _side(to_them, reference.did, service, partial(_age_theirs, reference.folder), their_mails),
                    )
                    for name in NAMED_EVERYWHERE:
                        await asyncio.gather(sides.ours.person(name), sides.reference.person(name))
                    yield sides
            finally:
                await reference.stop()
    await files.close()


def _services(service: RemoteService, has_services: bool) -> dict[str, str]:
    """The settings that make it the service of an operator; both servers have the same."""
    if not has_services:
        return {}
    # The reference does not call a service whose host is an IP address.
    url, names = service.url.replace("127.0.0.1", "localhost"), ("bsky_app_view", "mod_service", "report_service")
    return {**{f"{name}_url": url for name in names}, **{f"{name}_did": service.did for name in names}}


def _age_ours(database: Path, below: int) -> None:
    with closing(sqlite3.connect(database, timeout=30)) as store, store:
        store.execute("update events set sequenced_at = ? where seq < ?", (_LONG_AGO.timestamp() * SECOND, below))


def _age_theirs(folder: Path, below: int) -> None:
    with closing(sqlite3.connect(folder / "sequencer.sqlite", timeout=30)) as store, store:
        written = _LONG_AGO.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        store.execute("update repo_seq set sequencedAt = ? where seq < ?", (written, below))


def _side(
    http: httpx.AsyncClient,
    did: str,
    service: RemoteService,
    age: Callable[[int], None],
    mails: Callable[[str], Awaitable[list[str]]],
) -> Side:
    url = str(http.base_url).rstrip("/")
    return Side(
        http,
        did,
        service,
        basic("admin", ADMIN_PASSWORD),
        age,
        mails,
        {did: "<server>", url: "<url>", url.partition("//")[2]: "<host>"},
    )
