"""A third-party server that receives webhooks, the site that sends them, and two people who use its API."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.http.application import Application
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.http.server import serve
from groundwork.outbox import dispatcher
from groundwork.sealing import Sealer
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.calendars.fetch import CalendarFetcher
from openmeet.domain.webhooks.deliver import webhook_delivery
from openmeet.outbox.kinds import JobKind
from openmeet.web.webhooks.payloads import webhook_view
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import ORIGIN, Site, api_session, change_services, site_on

EVENT_JSON = {"title": "Board games", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
ALL_KINDS = ["event.changed", "answer.changed", "membership.changed"]


@dataclass
class WebhookReceiver:
    """A third-party server that stores what it is sent and responds as told."""

    url: str = ""
    status: int = 200
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def hear(self, request: Request) -> Response:
        self.heard.append((dict(request.headers), await request.body()))
        return Response(status_code=self.status)

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]


@dataclass
class WebhookStage:
    """The site, a third-party server, and the worker between them."""

    site: Site
    receiver: WebhookReceiver
    http: HttpClient
    sealer: Sealer
    clock: HandClock

    async def deliver(self, http: HttpClient | None = None) -> None:
        """Send everything that is due, until nothing is left."""
        delivery = webhook_delivery(self.site.db, http or self.http, self.sealer, webhook_view(ORIGIN))
        while await dispatcher.run_once(self.site.db, {JobKind.WEBHOOK: delivery}):
            pass


@pytest.fixture
async def stage(make_database: MakeDatabase, clock: HandClock) -> AsyncIterator[WebhookStage]:
    receiver = WebhookReceiver()
    app = Application([Route("/hook", receiver.hear, methods=["POST"])], Metrics("receiver"), access_log=False)
    serving = await serve(app, "127.0.0.1", 0)
    receiver.url = f"{serving.url}/hook"
    http, sealer = HttpClient(DEVELOPMENT), Sealer([b"s" * 32])
    site = site_on(await make_database("openmeet"), clock, allow_private_addresses=True, api_requests_per_minute=0)
    change_services(site.app, calendar_fetcher=CalendarFetcher(http, sealer))
    yield WebhookStage(site, receiver, http, sealer, clock)
    await http.close()
    await serving.stop()


@pytest.fixture
async def client(stage: WebhookStage) -> AsyncIterator[httpx.AsyncClient]:
    async with stage.site.browser() as browser:
        yield browser


@pytest.fixture
async def ana(client: httpx.AsyncClient) -> dict[str, str]:
    return await api_session(client, "ana@example.org", "Ana")


@pytest.fixture
async def ben(client: httpx.AsyncClient) -> dict[str, str]:
    return await api_session(client, "ben@example.org", "Ben")


async def register_webhook(
    client: httpx.AsyncClient, stage: WebhookStage, who: dict[str, str], **changes: object
) -> dict[str, Any]:
    made = await client.post(
        "/api/webhooks", json={"url": stage.receiver.url, "kinds": ALL_KINDS} | changes, headers=who
    )
    assert made.status_code == HTTPStatus.CREATED, made.text
    found: dict[str, Any] = made.json()
    return found


async def deliveries_of(
    client: httpx.AsyncClient, who: dict[str, str], webhook: dict[str, Any]
) -> list[dict[str, Any]]:
    found = await client.get(f"/api/webhooks/{webhook['id']}/deliveries", headers=who)
    listed: list[dict[str, Any]] = found.json()["deliveries"]
    return listed


async def select_rows(db: Database, sql: str) -> list[Any]:
    async with db.reader() as reader:
        return list(await reader.fetch(sql))


def is_signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(headers["webhook-signature"], f"v1,{expected}")
