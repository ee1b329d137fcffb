"""One event as a calendar file, with the details of the place that the reader may know. Join links are never included."""

from dataclasses import replace
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.visibility import event_to_show
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.icalendar.write import vevent_of, write_calendar
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
        event, own_rsvp, seen = await event_to_show(reader, EventSlug(request.path_params["slug"]), viewer)
        numbers = await sequences(reader, [event.id])
        changed = feeds.changed_at([event], reader.now, own_rsvp.answered_at if own_rsvp else None)
    public_url = services(request).settings.public_url
    entry = vevent_of(
        event,
        host=urlsplit(public_url).hostname or "localhost",
        url=f"{public_url}/events/{quote(event.slug)}",
        sequence=numbers[event.id],
        description=event.content.description,
        place=seen.place,
    )
    if entry is None:
        raise NotFound(EventReason.NO_DATE_YET)
    is_unsure = own_rsvp is not None and own_rsvp.status in _UNSURE
    file = write_calendar([replace(entry, is_tentative=entry.is_tentative or is_unsure)], name=event.title)
    return feeds.feed_response(request, file, feeds.CALENDAR, changed, f"{quote(event.slug)}.ics")
