"""A whole site in the test's process: the real application on a real database, called through its ASGI interface."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import httpx

from at_network.service_callers import ServiceCallers
from groundwork.blobstore.contract import BlobStore
from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.http.application import Application
from groundwork.signing_key import SigningKey
from groundwork.telemetry.metrics import Metrics
from groundwork.workers.pool import WorkerPool
from openmeet.app import create_app
from openmeet.domain.events import actions as events
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.sign_in import model
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.publishing.consent import ConsentDependencies
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import Services
from tests.plain_http import NO_TLS
from tests.worker_pool import POOL

CODE_KEY = SigningKey(b"k" * 32)
ORIGIN = "http://openmeet.test"


@dataclass
class Site:
    """The application, its database, and browsers for it."""

    app: Application
    db: Database
    clock: HandClock

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[httpx.AsyncClient]:
        """A browser with its own cookies. Redirects are not followed automatically."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=True, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(
            verify=NO_TLS, transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}
        ) as client:
            yield client


def site_on(
    db: Database,
    clock: HandClock,
    *,
    pictures: BlobStore | None = None,
    service_callers: ServiceCallers | None = None,
    publishing: ConsentDependencies | None = None,
    workers: WorkerPool | None = POOL,
    **changes: object,
) -> Site:
    """Build the site on this database."""
    settings = replace(Settings(), public_url=ORIGIN, **changes)
    tenant = Tenant("default", db)
    services = Services(
        settings,
        tenant,
        CODE_KEY,
        clock,
        pictures=pictures,
        service_callers=service_callers,
        publishing=publishing,
        workers=workers,
    )
    return Site(create_app(services, Metrics("openmeet")), db, clock)


def change_services(app: Application, **changes: object) -> None:
    """Replace some of the services of a running site."""
    app.state.services = replace(app.state.services, **changes)


async def sign_up(browser: httpx.AsyncClient, email: str, name: str, *, next_path: str = "/") -> httpx.Response:
    """Sign up on the pages. Returns the last response (a redirect to ``next_path``)."""
    asked = await browser.post("/sign-in", data={"identifier": email, "next": next_path})
    assert asked.status_code == 303, asked.text
    (challenge,) = parse_qs(urlsplit(asked.headers["location"]).query)["challenge"]
    code = model.code_of(CODE_KEY, challenge)
    entered = await browser.post("/sign-in/code", data={"challenge": challenge, "code": code})
    if not entered.headers["location"].startswith("/welcome"):
        return entered
    (following,) = parse_qs(urlsplit(entered.headers["location"]).query)["next"]
    return await browser.post("/welcome", data={"display_name": name, "next": following})


async def api_session(browser: httpx.AsyncClient, email: str, name: str) -> dict[str, str]:
    """Sign in with a code from an e-mail. Returns the headers of the API session."""
    asked = await browser.post("/api/session/code", json={"email": email, "displayName": name})
    challenge = asked.json()["challengeId"]
    opened = await browser.post(
        "/api/session", json={"challengeId": challenge, "code": model.code_of(CODE_KEY, challenge)}
    )
    assert opened.status_code == 201, opened.text
    return {"authorization": f"Bearer {opened.json()['token']}"}


async def person(tx: Transaction, name: str) -> Caller:
    """Create a user who signed up."""
    user_id = await users.create_person(tx, display_name=name, email=f"{name.lower().replace(' ', '.')}@example.org")
    return Caller(user_id, name)


def details(**typed: str) -> Details:
    """Valid details of an event, with some fields changed."""
    fields = {
        "title": "Board games",
        "starts": "2026-07-04T18:00",
        "ends": "2026-07-04T20:00",
        "time_zone": "Europe/Berlin",
        "venue_name": "Town library",
        "locality": "Berlin",
    }
    return check(Submission(**{**fields, **typed}))


def edited_details(event: Event, **changes: object) -> Details:
    """Details of an existing event, with some fields of its content changed."""
    before = details_in(event)
    return replace(before, content=replace(before.content, **changes))


async def event_by(tx: Transaction, host: Caller, **typed: str) -> Event:
    """Create an event of this host."""
    return await events.create(tx, host, details(**typed))


@asynccontextmanager
async def signed_in(site: Site, user_id: UserId) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which this person is signed in."""
    async with site.db.transaction() as tx:
        session = await open_session(tx, user_id, SessionTransport.BROWSER)
    async with site.browser() as browser:
        browser.cookies.set("openmeet_session", session.token)
        yield browser


class _Inputs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._text_area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        name = values.get("name")
        if tag == "textarea" and name:
            self._text_area = name
            self.found[name] = ""
        if tag == "input" and name and (values.get("type") not in {"radio", "checkbox"} or "checked" in values):
            self.found[name] = values.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._text_area:
            self.found[self._text_area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text_area = ""


def inputs_of(html: str) -> dict[str, str]:
    """Names and values of the page's inputs as a browser would send them (without selects)."""
    parser = _Inputs()
    parser.feed(html)
    return parser.found


def h1_of(html: str) -> str:
    """The text of the page's ``h1``."""
    (found,) = re.findall(r"<h1[^>]*>(.*?)</h1>", html, re.DOTALL)
    return re.sub(r"<[^>]+>", "", found).strip()
