"""Something arrives: a file, a text, or what stands at an address. It is read once, so that only what can be read is kept."""

from starlette.requests import Request

from groundwork.errors import InvalidForm
from openmeet.arriving import events, queries
from openmeet.arriving.event_page import MAX_PAGE
from openmeet.arriving.guest_list import understand_list
from openmeet.arriving.model import Import, ImportId, Medium, What
from openmeet.arriving.people import Target
from openmeet.calendars.components import MAX_BYTES
from openmeet.personal_calendar.fetching import SECONDS, checked_url
from openmeet.personal_calendar.pages import outgoing_of, zone_of
from openmeet.tenants.edge import database_of
from openmeet.users.model import Caller

_BEGINNING = b"BEGIN:VCALENDAR"


async def arrive(
    request: Request, caller: Caller, target: Target | None, *, url: str, content: bytes, name: str
) -> ImportId:
    """Keep it for a week. ``target``: whose people these are; None for events. Raises what reading and fetching raise."""
    medium, what, source = Medium.ICS, What.EVENTS, name
    if target is not None:
        medium, what = Medium.CSV, target.what
        understand_list(content)
    elif not content and url:
        source = checked_url(url)
        content, medium = await _fetched(request, source)
    elif not content:
        raise InvalidForm({"file": "Choose a file, or give an address."})
    if what is What.EVENTS:
        async with database_of(request).reader() as reader:
            zone = await zone_of(request, reader, caller.user_id)
            now = reader.now
        await events.understood(
            Import(ImportId(""), caller.user_id, what, medium, "", source, content, {}, None, now), zone
        )
    async with database_of(request).transaction() as tx:
        target_id = target.id if target else ""
        return await queries.insert(tx, caller.user_id, what, medium, target=target_id, source=source, content=content)


async def _fetched(request: Request, url: str) -> tuple[bytes, Medium]:
    http = outgoing_of(request).http
    answered = await http.get(url, timeout_seconds=SECONDS, max_bytes=max(MAX_BYTES, MAX_PAGE), redirects=3)
    body = answered.expect_ok().body
    is_calendar = body.removeprefix(b"\xef\xbb\xbf").lstrip()[: len(_BEGINNING)].upper() == _BEGINNING
    return body, Medium.ICS if is_calendar else Medium.PAGE
