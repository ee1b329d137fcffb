"""Everybody whom the viewer may see among the people of an event, page by page. The event page has the first ones."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from openmeet.domain.attendance import attendee_list, host_decisions, registration, rsvp_list
from openmeet.domain.attendance.attendee_summary import sees_attendee_names
from openmeet.domain.attendance.model import ATTENDEE_STATUSES, SEATED_STATUSES
from openmeet.domain.attendance.rsvp_list_texts import status_words
from openmeet.domain.attendance.visibility import event_to_show
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.validation import GeneralReason
from openmeet.web.attendance.view import is_over_or_cancelled
from openmeet.web.events.view import PEOPLE_PAGE, attendee_view
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.faces import portraits_of
from openmeet.web.site.layout import page
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

PAGE_SIZE: Final = 100


def routes() -> list[Route]:
    return [Route(f"/events/{{slug}}/{PEOPLE_PAGE}", show, methods=["GET"])]


async def show(request: Request) -> Response:
    """One page of the people of an event, in order of their answers. Raises NotFound if the event is not visible to the
    viewer or the host does not show them the list.
    """
    caller = caller_or_none(request)
    viewer = caller.user_id if caller else None
    after = rsvp_list.parse_cursor(request.query_params.get("after", ""))
    async with database_of(request).reader() as reader:
        event, own_rsvp, _ = await event_to_show(reader, event_slug_of(request), viewer)
        is_hosting = await host_decisions.may_host(reader, event, caller)
        settings = await registration.settings_of(reader, event)
        if not is_hosting and not sees_attendee_names(settings, is_going=own_rsvp is not None and own_rsvp.is_seated):
            raise NotFound(GeneralReason.NO_SUCH_EVENT)
        found = await attendee_list.attendees(
            reader,
            event.id,
            ATTENDEE_STATUSES,
            limit=PAGE_SIZE + 1,
            viewer=viewer,
            for_hosts=is_hosting,
            after=after,
        )
        people = found[:PAGE_SIZE]
        names = await shown_names(reader, [one.user_id for one in people])
        portraits = await portraits_of(reader, viewer, [one.user_id for one in people])
        now = reader.now
    context = {
        "event": event,
        "subject": subject_of_event(event, now),
        "is_over_or_cancelled": is_over_or_cancelled(event, now),
        "people": [
            (
                attendee_view(one, names[one.user_id], portraits, viewer),
                "" if one.status in SEATED_STATUSES else status_words(one.status, one.pending_for),
            )
            for one in people
        ],
        "more": rsvp_list.format_cursor(people[-1]) if len(found) > PAGE_SIZE else "",
    }
    return page(request, "events/people.html", context)
