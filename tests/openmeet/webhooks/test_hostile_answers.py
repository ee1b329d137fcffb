"""Addresses that respond late, endlessly, rarely, or later resolve to another server; and replayed messages."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp.abc import AbstractResolver
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from groundwork.clock import DAY, HOUR, MINUTE
from groundwork.http.application import Application
from groundwork.http.client import TOTAL_SECONDS, HttpClient
from groundwork.http.reach import PUBLIC
from groundwork.http.server import serve
from groundwork.telemetry.metrics import Metrics
from tests.openmeet.webhooks.receiver import (
    EVENT_JSON,
    ana,
    ben,
    client,
    deliveries_of,
    is_signed,
    register_webhook,
    stage,
)
from tests.timeouts import TIMEOUT_SECONDS

__all__ = ["ana", "ben", "client", "stage"]

CHUNK = b"x" * 8192


class Elsewhere:
    """A server that never responds, or never stops responding. It counts the bytes that it could send."""

    def __init__(self) -> None:
        self.sent = 0
        self.done = asyncio.Event()

    async def silent(self, _: Request) -> Response:
        await self.done.wait()
        return Response()

    async def dripping(self, _: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while not self.done.is_set():
                yield b"."
                await asyncio.sleep(0.5)

        return StreamingResponse(pieces())

    async def endless(self, request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            while not await request.is_disconnected():
                self.sent += len(CHUNK)
                yield CHUNK

        return StreamingResponse(pieces())


@pytest.fixture
async def elsewhere():
    server = Elsewhere()
    routes = [Route(f"/{name}", getattr(server, name), methods=["POST"]) for name in ("silent", "dripping", "endless")]
    serving = await serve(Application(routes, Metrics("elsewhere"), access_log=False), "127.0.0.1", 0)
    yield server, serving.url
    server.done.set()
    await serving.stop()


async def test_slow_servers_delay_nobody(stage, client, ana, elsewhere) -> None:
    """Requests to servers that are silent or never finish fail after ten seconds, and others receive their messages
    meanwhile.
    """
    _, url = elsewhere
    slow = [await register_webhook(client, stage, ana, url=f"{url}/{name}") for name in ("silent", "dripping")]
    await register_webhook(client, stage, ana)
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    delivering = asyncio.create_task(stage.deliver())
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not stage.receiver.heard:  # noqa: ASYNC110 - a server in this process, which rings no bell
            await asyncio.sleep(0.01)
    assert not delivering.done(), "slow servers were called first or not at all"
    async with asyncio.timeout(60 + 2 * TOTAL_SECONDS):
        await delivering
    assert len(stage.receiver.heard) == 1
    for webhook in slow:
        (one,) = await deliveries_of(client, ana, webhook)
        assert (one["state"], one["why"]) == ("waiting", "127.0.0.1 didn’t answer in time.")


async def test_an_endless_response_is_not_read(stage, client, ana, elsewhere) -> None:
    server, url = elsewhere
    webhook = await register_webhook(client, stage, ana, url=f"{url}/endless")
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    await stage.deliver()
    (one,) = await deliveries_of(client, ana, webhook)
    assert one["state"] == "waiting"
    assert "sent more than 65,536 bytes" in one["why"]
    # The closed connection tells the server to stop. Until then it can send as much as the socket buffers hold.
    assert server.sent < 64 * 1024 * 1024


class Rebinding(AbstractResolver):
    """A name that resolved to a public address when it was registered, and now resolves to a private one."""

    def __init__(self) -> None:
        self.asked = 0

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC):
        self.asked += 1
        address = ("127.0.0.1", "::1", "10.0.0.1")[self.asked % 3]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [{"hostname": host, "host": address, "port": port, "family": kind, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        pass


async def test_a_name_is_resolved_each_time_and_never_to_a_private_address(stage, client, ana) -> None:
    names = Rebinding()
    http = HttpClient(PUBLIC, resolver=names)
    webhook = await register_webhook(client, stage, ana, url="https://hook.example/hook")
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    for tries in (1, 2, 3):
        await stage.deliver(http)
        (one,) = await deliveries_of(client, ana, webhook)
        assert (one["tries"], names.asked >= tries) == (tries, True)
        assert (one["status"], one["why"]) == (None, "hook.example doesn’t lead to a public address.")
        stage.clock.turn(HOUR)
    await http.close()


async def test_a_replayed_message_can_be_recognised(stage, client, ana) -> None:
    """The id and the time are signed. A replayed message has the same id, and with another time its signature is
    invalid.
    """
    webhook = await register_webhook(client, stage, ana)
    stage.receiver.status = 503
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    await stage.deliver()
    stage.receiver.status = 200
    stage.clock.turn(10 * MINUTE)
    await stage.deliver()
    (first, body), (second, again) = stage.receiver.heard
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) >= 600
    assert is_signed(first, body, webhook["secret"])
    assert is_signed(second, again, webhook["secret"])
    assert first["webhook-signature"] != second["webhook-signature"]
    for forged in (
        first | {"webhook-timestamp": second["webhook-timestamp"]},
        first | {"webhook-id": "another"},
        second | {"webhook-signature": first["webhook-signature"]},
    ):
        assert not is_signed(forged, body, webhook["secret"])
    assert not is_signed(first, body.replace(b"Board games", b"Cancelled!!"), webhook["secret"])


async def test_one_failure_long_after_another_does_not_switch_an_address_off(stage, client, ana):
    """A message was given up a month ago, and nothing has happened since. The next one gets its retries."""
    webhook = await register_webhook(client, stage, ana)
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    stage.receiver.status = 500
    for _ in range(36):
        await stage.deliver()
        stage.clock.turn(HOUR)
    assert [one["state"] for one in await deliveries_of(client, ana, webhook)] == ["failed"]
    stage.clock.turn(20 * DAY)
    await client.post("/api/events", json=EVENT_JSON | {"title": "Next month"}, headers=ana)
    await stage.deliver()
    stage.receiver.status = 200
    stage.clock.turn(MINUTE)
    await stage.deliver()
    shown = (await client.get(f"/api/webhooks/{webhook['id']}", headers=ana)).json()
    assert (shown["isOn"], shown["failingSince"]) == (True, None)
