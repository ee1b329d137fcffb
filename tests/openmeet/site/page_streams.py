"""The stream of an open page, read without a browser."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import httpx

from groundwork.database.transaction import Database
from groundwork.http.server import HttpServer
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.events.model import Event
from openmeet.web.site.page_streams import fingerprint_of
from tests.openmeet.site_under_test import CODE_KEY
from tests.plain_http import NO_TLS
from tests.timeouts import TIMEOUT_SECONDS


async def event_fingerprint(db: Database, event: Event) -> str:
    async with db.reader() as reader:
        counts = await attendance_queries.counts(reader, [event.id])
    return fingerprint_of(CODE_KEY, event, counts[event.id])


class StreamFollower:
    """An open page without a browser: it reads the events of its stream."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self) -> tuple[str, str, dict[str, object]]:
        """Id, name and data of the next event, or ``("", "", {})`` at the end of the stream."""
        told = {"id": "", "event": "", "data": "{}"}
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name in told:
                    told[name] = value
                elif not line and told["event"]:
                    break
        return told["id"], told["event"], json.loads(told["data"])

    async def until(self, name: str) -> tuple[str, dict[str, object]]:
        """The next event with this name."""
        while True:
            identifier, found, data = await self.next()
            assert found, f"the stream ended before {name!r}"
            if found == name:
                return identifier, data


@contextlib.asynccontextmanager
async def follow_stream(served: HttpServer, token: str, address: str) -> AsyncIterator[StreamFollower]:
    """The stream at an address, as the browser of the person with this session reads it."""
    cookies = {"openmeet_session": token}
    async with (
        httpx.AsyncClient(verify=NO_TLS, base_url=served.url, cookies=cookies) as browser,
        browser.stream("GET", address) as opened,
    ):
        assert opened.status_code == 200, opened.status_code
        yield StreamFollower(opened.aiter_lines())
