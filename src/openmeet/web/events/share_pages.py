"""Share an event: the page with its URL, a QR code, e-mail, and links that add it to a calendar; and its calendar file.

The page works without scripts. Google and Outlook define the format of their links. The links contain only what this
reader may know, and nothing is sent until the reader follows them.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import HOUR, Instant, to_datetime
from groundwork.errors import NotFound
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.visibility import event_to_show
from openmeet.domain.events import all_day, time_and_place
from openmeet.domain.events.disclosure import PrivateDetails
from openmeet.domain.events.model import Event
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.values import Visibility
from openmeet.domain.icalendar.write import write_calendar
from openmeet.domain.page_paths import event_path
from openmeet.domain.series.calendar_uids import sequences
from openmeet.i18n.catalogue import gettext
from openmeet.web.events import feeds
from openmeet.web.media.drawings import qr_code
from openmeet.web.site.caller import viewer_of
from openmeet.web.site.layout import page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

# Calendars require an end. An event without one gets the same length as in our own calendar files.
_LENGTH: Final = 2 * HOUR
# Longer texts make URLs that browsers and mail programs cut off.
_MOST_TEXT: Final = 500
# Google writes dates and times without separators.
_BASIC: Final = str.maketrans("", "", "-:")
_UNSURE = frozenset({AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING})


@dataclass(frozen=True, slots=True)
class CalendarLinks:
    """URLs that open a filled-in form in a web calendar."""

    google: str
    outlook: str


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/share", show, methods=["GET"]),
        Route("/events/{slug}.ics", serve_calendar, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        event, _, private = await event_to_show(reader, event_slug_of(request), viewer)
    address = f"{services(request).settings.public_url}{event_path(event.slug)}"
    when = time_and_place.tagged(event, services(request).clock.now())
    context = {
        "event": event,
        "address": address,
        "is_private": event.visibility is Visibility.PRIVATE,
        "is_embeddable": event.visibility is Visibility.PUBLIC
        and not (event.is_draft or event.is_hidden or event.is_held),
        "picture": qr_code(address),
        "mail": _mail_url(event, address),
        "calendars": _calendar_links(event, private, address),
        "when": when,
    }
    return page(request, "events/share.html", context)


def _mail_url(event: Event, address: str) -> str:
    body = gettext("Do you want to come along? %(address)s", address=address)
    return "mailto:?" + urlencode({"subject": event.title, "body": body}, quote_via=quote)


def _calendar_links(event: Event, private: PrivateDetails, address: str) -> CalendarLinks | None:
    """The calendar links, or None if the event has no date yet."""
    if event.starts_at is None or event.is_draft:
        return None
    starts, ends = _span(event, event.starts_at)
    text = f"{event.content.description[:_MOST_TEXT]}\n\n{address}".strip()
    place = ", ".join(private.place.lines)
    dates = f"{starts}/{ends}".translate(_BASIC)
    google = {"action": "TEMPLATE", "text": event.title, "dates": dates, "details": text, "location": place}
    outlook = {
        "path": "/calendar/action/compose",
        "rru": "addevent",
        "subject": event.title,
        "startdt": starts,
        "enddt": ends,
        **({"allday": "true"} if event.is_all_day else {}),
        "body": text,
        "location": place,
    }
    return CalendarLinks(
        "https://calendar.google.com/calendar/render?" + urlencode(google),
        "https://outlook.live.com/calendar/0/deeplink/compose?" + urlencode(outlook, quote_via=quote),
    )


def _span(event: Event, starts_at: Instant) -> tuple[str, str]:
    """Start and end in ISO 8601: instants in UTC, or the first day and the day after the last one."""
    if not event.is_all_day:
        return _in_utc(starts_at), _in_utc(event.ends_at or Instant(starts_at + _LENGTH))
    first = all_day.first_day(starts_at, event.time_zone)
    last = first if event.ends_at is None else all_day.last_day(event.ends_at, event.time_zone)
    return first.isoformat(), (last + timedelta(days=1)).isoformat()


def _in_utc(at: Instant) -> str:
    return to_datetime(at).strftime("%Y-%m-%dT%H:%M:%SZ")


async def serve_calendar(request: Request) -> Response:
    """The calendar file, with the details of the place that the reader may know. Join links are never included."""
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        event, own_rsvp, seen = await event_to_show(reader, event_slug_of(request), viewer)
        numbers = await sequences(reader, [event.id])
        changed = feeds.changed_at([event], reader.now, own_rsvp.answered_at if own_rsvp else None)
    public_url = services(request).settings.public_url
    entry = feeds.entry_of(event, numbers[event.id], public_url, place=seen.place)
    if entry is None:
        raise NotFound(EventReason.NO_DATE_YET)
    is_unsure = own_rsvp is not None and own_rsvp.status in _UNSURE
    file = write_calendar([replace(entry, is_tentative=entry.is_tentative or is_unsure)], name=event.title)
    return feeds.feed_response(request, file, feeds.CALENDAR, changed, f"{quote(event.slug)}.ics")
