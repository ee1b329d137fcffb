"""Webhooks with a hostile address, or with a secret that somebody else has; against a real server."""

import re
from http import HTTPStatus

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from groundwork.clock import DAY
from groundwork.errors import InvalidForm
from groundwork.http.application import Application
from groundwork.http.reach import PUBLIC
from groundwork.http.server import serve
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.webhooks.model import check_url
from tests.openmeet.site_under_test import sign_up
from tests.openmeet.webhooks.receiver import (
    EVENT_JSON,
    ana,
    ben,
    client,
    deliveries_of,
    is_signed,
    register_webhook,
    select_rows,
    stage,
)

__all__ = ["ana", "ben", "client", "stage"]

INSIDE = [
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://0/",
    "https://1.0x7f/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[::1%25lo]/",
    "https://example.org\\@127.0.0.1/",
    "https://127.0.0.1#.example.org/",
    "https://%31%32%37.0.0.1/",
    "https://127。0。0。1/",
    "https://example.org:443@127.0.0.1/",
]


@pytest.mark.parametrize("url", INSIDE)
def test_numeric_addresses_are_refused_in_every_spelling(url: str) -> None:
    with pytest.raises(InvalidForm) as refused:
        check_url(url, PUBLIC)
    assert list(refused.value.problems) == ["url"]


async def test_redirects_are_not_followed(stage, client, ana) -> None:
    """A redirect, for example to an internal address, counts as a failure, and nothing is sent to it."""

    async def lead_away(_: Request) -> Response:
        return RedirectResponse(stage.receiver.url, status_code=307)

    away = Application([Route("/away", lead_away, methods=["POST"])], Metrics("away"), access_log=False)
    serving = await serve(away, "127.0.0.1", 0)
    webhook = await register_webhook(client, stage, ana, url=f"{serving.url}/away")
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    await stage.deliver()
    await serving.stop()
    (one,) = await deliveries_of(client, ana, webhook)
    assert (one["state"], one["status"], stage.receiver.heard) == ("waiting", 307, [])


async def test_after_410_nothing_is_retried(stage, client, ana) -> None:
    """Neither the rejected message nor those that were waiting are sent later."""
    webhook = await register_webhook(client, stage, ana)
    stage.receiver.status = 503
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    await stage.deliver()
    stage.receiver.status = 410
    await client.post("/api/events", json=EVENT_JSON | {"title": "Chess"}, headers=ana)
    await stage.deliver()
    heard = len(stage.receiver.heard)
    stage.receiver.status = 200
    stage.clock.turn(5 * DAY)
    await stage.deliver()
    assert len(stage.receiver.heard) == heard
    assert {one["state"] for one in await deliveries_of(client, ana, webhook)} == {"failed", "dropped"}


async def test_a_new_secret_signs_from_then_on(stage, client, ana, ben) -> None:
    """Waiting messages are signed with the new secret too, and signatures with the old one are invalid. The new secret
    is shown once, to its owner only.
    """
    webhook = await register_webhook(client, stage, ana)
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    path = f"/api/webhooks/{webhook['id']}"
    assert (await client.post(f"{path}/secret", headers=ben)).status_code == HTTPStatus.NOT_FOUND
    late = await client.post(f"{path}/secret", headers=ana | {"if-match": '"9"'})
    assert late.status_code == HTTPStatus.PRECONDITION_FAILED
    renewed = await client.post(f"{path}/secret", headers=ana | {"if-match": f'"{webhook["revision"]}"'})
    secret = renewed.json()["secret"]
    assert (renewed.status_code, renewed.headers["cache-control"]) == (HTTPStatus.OK, "no-store")
    assert (secret != webhook["secret"], renewed.json()["revision"]) == (True, webhook["revision"] + 1)
    await stage.deliver()
    ((headers, body),) = stage.receiver.heard
    assert (is_signed(headers, body, secret), is_signed(headers, body, webhook["secret"])) == (True, False)
    assert secret not in (await client.get(path, headers=ana)).text


async def test_the_page_creates_a_new_secret(stage, client) -> None:
    await sign_up(client, "ana@example.org", "Ana")
    made = await client.post("/settings/webhooks", data={"url": stage.receiver.url, "kind_event": "on", "group": ""})
    (row,) = await select_rows(stage.site.db, "select id from webhooks")
    page = f"/settings/webhooks/{row['id']}"
    assert 'value="renew"' in (await client.get(page)).text
    renewed = await client.post(page, data={"do": "renew"})
    (first,), (second,) = (re.findall(r"whsec_[\w+/=]+", one.text) for one in (made, renewed))
    assert (renewed.status_code, first != second, renewed.headers["cache-control"]) == (200, True, "no-store")
    await client.post(page, data={"do": "ping"})
    await stage.deliver()
    ((headers, body),) = stage.receiver.heard
    assert is_signed(headers, body, second)
