"""Another server that publishes a calendar, and calendars that it publishes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.http.server import serve
from groundwork.sealing import Sealer
from openmeet.domain.calendars.fetch import CalendarFetcher

CHOIR_CALENDAR = """BEGIN:VCALENDAR
X-WR-CALNAME:Choir
BEGIN:VEVENT
UID:choir@example.org
DTSTART;TZID=Europe/Berlin:20260307T180000
DURATION:PT2H
RRULE:FREQ=WEEKLY;COUNT=4
SUMMARY:Choir practice {extra}
LOCATION:Church
END:VEVENT
BEGIN:VEVENT
UID:day@example.org
DTSTART;VALUE=DATE:20260307
SUMMARY:Somebody's birthday
END:VEVENT
END:VCALENDAR
"""
BOMB_CALENDAR = (
    "BEGIN:VCALENDAR\r\n" + "BEGIN:VEVENT\r\nDTSTART:20261101T100000Z\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n" * 12_000
)


@dataclass
class CalendarServer:
    """Another server that publishes a calendar, with entity tags, redirects and failures."""

    url: str = ""
    body: str = CHOIR_CALENDAR.format(extra="")
    status: int = 200
    asked: list[str | None] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.asked.append(request.headers.get("if-none-match"))
        tag = f'"{hash(self.body)}"'
        if self.status != 200:
            return Response(status_code=self.status)
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304)
        return Response(self.body, headers={"etag": tag})


@pytest.fixture
async def elsewhere() -> AsyncIterator[CalendarServer]:
    found = CalendarServer()
    serving = await serve(Starlette(routes=[Route("/secret-7f3a/choir.ics", found.answer)]), "127.0.0.1", 0)
    found.url = f"{serving.url}/secret-7f3a/choir.ics"
    yield found
    await serving.stop()


@pytest.fixture
async def fetcher() -> AsyncIterator[CalendarFetcher]:
    http = HttpClient(DEVELOPMENT)
    yield CalendarFetcher(http, Sealer([bytes(32)]))
    await http.close()
