"""Share an event, a series, a group or a host: pages with the URL, a QR code and e-mail. For an event also
links that add it to a calendar, and its calendar file.

The pages work without scripts. Google and Outlook define the format of their links. The links contain only what this
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
from openmeet.domain.events import all_day
from openmeet.domain.events.disclosure import PrivateDetails
from openmeet.domain.events.model import Event
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions
from openmeet.domain.groups.model import GroupVisibility
from openmeet.domain.icalendar.write import write_calendar
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.page_paths import person_path
from openmeet.domain.profiles import actions as profiles
from openmeet.domain.series import agenda, calendar_uids
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext
from openmeet.web.events import feeds
from openmeet.web.media.drawings import qr_code
from openmeet.web.media.subject import PageSubject, subject_of_event, subject_of_group, subject_of_series
from openmeet.web.site.caller import viewer_of
from openmeet.web.site.layout import page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of, group_slug_of, series_slug_of
from openmeet.web.site.tenant_routing import database_of

# Calendars require an end. An event without one gets the same length as in our own calendar files.
_LENGTH: Final = 2 * HOUR
# Longer texts make URLs that browsers and mail programs cut off.
_MAX_TEXT: Final = 500
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
        Route("/events/{slug}/share", share_event, methods=["GET"]),
        Route("/series/{slug}/share", share_series, methods=["GET"]),
        Route("/groups/{slug}/share", share_group, methods=["GET"]),
        Route("/people/{userId}/share", share_person, methods=["GET"]),
        Route("/events/{slug}.ics", serve_calendar, methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True)
class Sharing:
    """What is shared. ``code_hint`` explains the QR code. ``question`` is the text of the e-mail, before the link.
    ``warning``: who cannot open the link. ``is_for_everybody``: other websites can show it, with a picture.
    """

    subject: PageSubject
    code_hint: str
    question: str
    warning: str = ""
    is_for_everybody: bool = False


async def share_event(request: Request) -> Response:
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        event, _, private = await event_to_show(reader, event_slug_of(request), viewer)
    sharing = Sharing(
        subject_of_event(event, services(request).clock.now()),
        code_hint=gettext("Scan it with another phone to open the event."),
        question=gettext("Do you want to come along?"),
        warning=_warning(event) if event.visibility is Visibility.PRIVATE else "",
        is_for_everybody=event.visibility is Visibility.PUBLIC
        and not (event.is_draft or event.is_hidden or event.is_held),
    )
    return _share_page(request, sharing, _calendar_links(event, private, _address(request, sharing)))


async def share_series(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        series = await agenda.visible(reader, series_slug_of(request), viewer_of(request))
    sharing = Sharing(
        subject_of_series(series),
        code_hint=gettext("Scan it with another phone to open the series."),
        question=gettext("Do you want to come along?"),
        warning=gettext("Only people who may see its dates can open it. Sharing the link doesn’t let anyone else in.")
        if series.visibility is Visibility.PRIVATE
        else "",
        is_for_everybody=series.visibility is Visibility.PUBLIC and not series.is_hidden,
    )
    return _share_page(request, sharing)


async def share_group(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        group, _ = await actions.visible(reader, group_slug_of(request), viewer_of(request))
    sharing = Sharing(
        subject_of_group(group),
        code_hint=gettext("Scan it with another phone to open the group."),
        question=gettext("Do you want to join?"),
        warning=gettext("Only its members can open it. Sharing the link doesn’t let anyone else in.")
        if group.details.visibility is GroupVisibility.PRIVATE
        else "",
        is_for_everybody=group.details.visibility is GroupVisibility.PUBLIC and not group.is_hidden,
    )
    return _share_page(request, sharing)


async def share_person(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        person = await profiles.visible_profile(reader, UserId(request.path_params["userId"]))
        name = (await shown_names(reader, [person.id]))[person.id]
    sharing = Sharing(
        PageSubject(person_path(person.id), name, ""),
        code_hint=gettext("Scan it with another phone to open the profile."),
        question=gettext("Have a look at these events:"),
        is_for_everybody=True,
    )
    return _share_page(request, sharing)


def _address(request: Request, sharing: Sharing) -> str:
    return f"{services(request).settings.public_url}{sharing.subject.path}"


def _share_page(request: Request, sharing: Sharing, calendars: CalendarLinks | None = None) -> Response:
    address = _address(request, sharing)
    body = f"{sharing.question} {address}"
    context = {
        "sharing": sharing,
        "subject": sharing.subject,
        "address": address,
        "picture": qr_code(address),
        "mail": "mailto:?" + urlencode({"subject": sharing.subject.title, "body": body}, quote_via=quote),
        "calendars": calendars,
    }
    return page(request, "events/share.html", context)


def _warning(event: Event) -> str:
    if event.group:
        return gettext(
            "Only members of its group and people you invite can open it. Sharing the link doesn’t let anyone else in."
        )
    return gettext("Only people you invite can open it. Sharing the link doesn’t let anyone else in.")


def _calendar_links(event: Event, private: PrivateDetails, address: str) -> CalendarLinks | None:
    """The calendar links, or None if the event has no date yet."""
    if event.starts_at is None or event.is_draft:
        return None
    starts, ends = _span(event, event.starts_at)
    text = f"{event.content.description[:_MAX_TEXT]}\n\n{address}".strip()
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
        identities = await calendar_uids.identities(reader, [event.id])
        changed = feeds.changed_at([event], reader.now, own_rsvp.answered_at if own_rsvp else None)
    public_url = services(request).settings.public_url
    entry = feeds.entry_of(event, identities[event.id], public_url, place=seen.place)
    if entry is None:
        raise NotFound(EventReason.NO_DATE_YET)
    is_unsure = own_rsvp is not None and own_rsvp.status in _UNSURE
    file = write_calendar([replace(entry, is_tentative=entry.is_tentative or is_unsure)], name=event.title)
    return feeds.feed_response(request, file, feeds.CALENDAR, changed, f"{quote(event.slug)}.ics")
