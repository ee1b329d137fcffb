"""One event as a calendar file, with as much of the place as the reader may know. Join links are in no file."""

from dataclasses import replace
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from openmeet.domain.attendance import queries as attendance
from openmeet.domain.attendance.model import SEATED, AttendanceStatus
from openmeet.domain.attendance.rules import is_invited
from openmeet.domain.events import seeing
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.seeing import raise_if_gone
from openmeet.domain.icalendar.of_event import written
from openmeet.domain.icalendar.write import write_calendar
from openmeet.domain.series.calendar_uids import sequences
from openmeet.web.events import feeds
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_UNSURE = frozenset({AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING})


def routes() -> list[Route]:
    """The file is registered before ``/events/{slug}``."""
    return [Route("/events/{slug}.ics", serve, methods=["GET"])]


async def serve(request: Request) -> Response:
    caller = caller_or_none(request)
    viewer = caller.user_id if caller else None
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, EventSlug(request.path_params["slug"]))
        mine = await attendance.find(reader, event.id, viewer) if event and viewer else None
        if (
            event is None
            or (event.is_hidden and event.author_id != viewer)
            or not await seeing.may_see(reader, event, viewer, is_invited=is_invited(mine))
        ):
            raise NotFound(EventReason.NO_SUCH_EVENT)
        raise_if_gone(event)
        is_going = mine is not None and mine.status in SEATED
        seen = await seeing.private_details_for(reader, event, viewer, is_going=is_going)
        numbers = await sequences(reader, [event.id])
        changed = feeds.changed_at([event], reader.now, mine.answered_at if mine else None)
    public_url = services(request).settings.public_url
    entry = written(
        event,
        host=urlsplit(public_url).hostname or "localhost",
        url=f"{public_url}/events/{quote(event.slug)}",
        sequence=numbers[event.id],
        description=event.content.description,
        place=seen.place,
    )
    if entry is None:
        raise NotFound(EventReason.NO_DATE_YET)
    is_unsure = mine is not None and mine.status in _UNSURE
    file = write_calendar([replace(entry, is_tentative=entry.is_tentative or is_unsure)], name=event.title)
    return feeds.served(request, file, feeds.CALENDAR, changed, f"{quote(event.slug)}.ics")
