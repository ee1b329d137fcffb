"""Accept an upload (a file, a text or a URL) and parse it. The upload is stored only if it can be parsed."""

from functools import partial

from starlette.requests import Request

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm
from openmeet.domain.calendars.fetch import SECONDS, checked_url
from openmeet.domain.icalendar.components import MAX_BYTES
from openmeet.domain.imports import events, queries
from openmeet.domain.imports.event_json_ld import MAX_PAGE
from openmeet.domain.imports.guest_list import parse_list
from openmeet.domain.imports.model import FileReading, Import, ImportId, ImportKind, ImportReason, Medium
from openmeet.domain.imports.people import InvitationTarget
from openmeet.domain.users.model import Caller
from openmeet.web.calendar.pages import calendar_fetcher_of, zone_of
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of

_BEGINNING = b"BEGIN:VCALENDAR"


async def receive_import(
    request: Request, caller: Caller, target: InvitationTarget | None, *, url: str, content: bytes, name: str
) -> ImportId:
    """Store the upload for a week. ``target`` is the event or group that contacts are for. It is None for events.
    Raises the errors of fetching and parsing.
    """
    workers = workers_of(request, caller.user_id)
    medium, kind, source = Medium.ICS, ImportKind.EVENTS, name
    if target is not None:
        medium, kind = Medium.CSV, target.what
        await workers.run(partial(parse_list, content))
    elif not content and url:
        source = checked_url(url)
        content, medium = await _fetch(request, source)
    elif not content:
        raise InvalidForm({"file": ImportReason.FILE_EMPTY if name else ImportReason.FILE_NEEDED})
    if kind is ImportKind.EVENTS:
        async with database_of(request).reader() as reader:
            reading = await reading_of(request, reader, caller)
            now = reader.now
        await events.parse_upload(
            workers, Import(ImportId(""), caller.user_id, kind, medium, "", source, content, {}, None, now), reading
        )
    async with database_of(request).transaction() as tx:
        target_id = target.id if target else ""
        return await queries.insert(tx, caller.user_id, kind, medium, target=target_id, source=source, content=content)


async def reading_of(request: Request, reader: Reader, caller: Caller) -> FileReading:
    """The parser settings for this caller's files."""
    hosts = tuple(host.lower() for host in services(request).settings.call_hosts)
    places = services(request).places
    zone = await zone_of(request, reader, caller.user_id)
    return FileReading(zone, hosts, places if places is not None and places.is_built else None)


async def _fetch(request: Request, url: str) -> tuple[bytes, Medium]:
    http = calendar_fetcher_of(request).http
    answered = await http.get(url, timeout_seconds=SECONDS, max_bytes=max(MAX_BYTES, MAX_PAGE), redirects=3)
    body = answered.expect_ok().body
    is_calendar = body.removeprefix(b"\xef\xbb\xbf").lstrip()[: len(_BEGINNING)].upper() == _BEGINNING
    return body, Medium.ICS if is_calendar else Medium.PAGE
