"""A site that loses responses or is too busy, and the client of a person who uses it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from groundwork.blobstore.open_ import open_folder
from groundwork.clock import HandClock
from groundwork.http.server import serve
from openmeet_client.client import OpenMeet
from openmeet_client.model import NewEvent
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, api_session, site_on

BOARD_GAMES = NewEvent("Board games", "2026-07-04T18:00", "Europe/Berlin", ends_local="2026-07-04T20:00")


@dataclass
class UnreliableSite:
    """A proxy between client and site that loses responses after they took effect, or answers that the site is too
    busy.
    """

    site: Site
    losing: int = 0
    busy: int = 0
    asked: int = 0
    waits: list[float] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        if self.busy:
            self.busy -= 1
            await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"7")]})
            await send({"type": "http.response.body", "body": b"{}"})
            return
        if not self.losing:
            await self.site.app(scope, receive, send)
            return
        self.losing -= 1

        async def nowhere(_message: Message) -> None:
            pass

        await self.site.app(scope, receive, nowhere)
        # A truncated body makes the client see a broken connection.
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
async def weather(make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path) -> UnreliableSite:
    return UnreliableSite(site_on(await make_sqlite("openmeet"), clock, pictures=open_folder(tmp_path / "media")))


@pytest.fixture
async def url(weather: UnreliableSite) -> AsyncIterator[str]:
    serving = await serve(weather, "127.0.0.1", 0)
    yield serving.url
    await serving.stop()


async def client_of(weather: UnreliableSite, url: str, name: str) -> OpenMeet:
    async with weather.site.browser() as browser:
        session = await api_session(browser, f"{name.lower()}@example.org", name)
    return OpenMeet(url, session["authorization"].removeprefix("Bearer "), wait=weather.wait)


@pytest.fixture
async def ana(weather: UnreliableSite, url: str) -> AsyncIterator[OpenMeet]:
    async with await client_of(weather, url, "Ana") as api:
        yield api
