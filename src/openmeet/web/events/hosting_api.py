"""Hosts' actions on an event, as JSON: edit, cancel, reinstate, delete."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidInput, NotFound
from groundwork.http.json_bodies import read_json, with_current_values
from openmeet.domain.attendance import capacity_change, event_hosting
from openmeet.domain.events import rules, seeing
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.validation import GeneralReason
from openmeet.web.api.etags import IF_MATCH, expected_revision
from openmeet.web.api.operations import ApiOperation
from openmeet.web.attendance.forms import CONFIRM, require_confirmed_lower_limit
from openmeet.web.events.create_api import checked_details
from openmeet.web.events.detail import to_host
from openmeet.web.events.schemas import EventDetail, EventInput
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of

_FAILURES = (403, 404, 412, 422)


class CancellationReason(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The reason for a cancellation. Everyone can read it."""

    reason: str = ""


async def save(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, EventInput)
    async with database_of(request).transaction() as tx:
        before = await by_slug(tx, _slug(request))
        # Check access before the body. Otherwise errors in the body would reveal that a hidden event exists.
        if before is None or not await seeing.may_see(tx, before, caller.user_id, has_rsvp_access=False):
            raise NotFound(GeneralReason.NO_SUCH_EVENT)
        if body.group:
            raise InvalidInput("group", EventReason.GROUP_STAYS)
        body = await with_current_values(request, body, _who_sees_what(before))
        details = checked_details(body, tx.now, before)
        impact = await capacity_change.by_details(tx, [(before, details)])
        event = await event_hosting.revise(
            tx, caller, before.slug, details, expected_revision=expected_revision(request)
        )
        # Checked last, so that the counts are not disclosed to callers without permission or with an outdated version.
        # If it raises, nothing is saved.
        require_confirmed_lower_limit(request, impact)
        return await to_host(request, tx, event)


def _who_sees_what(event: Event) -> dict[str, str]:
    """Fields of ``EventInput`` that stay unchanged if a PUT leaves them out."""
    return {
        "visibility": event.content.visibility.value,
        "place_audience": event.content.place_audience.value,
        "online_url_audience": event.content.online_url_audience.value,
        "door_audience": event.content.door_audience.value,
    }


async def cancel(request: Request) -> Response:
    caller = caller_of(request)
    reason = rules.check_reason((await read_json(request, CancellationReason)).reason)
    async with database_of(request).transaction() as tx:
        event = await event_hosting.cancel(
            tx, caller, _slug(request), reason, expected_revision=expected_revision(request)
        )
        return await to_host(request, tx, event)


async def reinstate(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        event = await event_hosting.reinstate(tx, caller, _slug(request), expected_revision=expected_revision(request))
        return await to_host(request, tx, event)


async def delete(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await event_hosting.delete(tx, caller, _slug(request), expected_revision=expected_revision(request))
    return Response(status_code=204)


def _slug(request: Request) -> EventSlug:
    return EventSlug(request.path_params["slug"])


OPERATIONS = (
    ApiOperation(
        "PUT",
        "/api/events/{slug}",
        "saveEvent",
        "Replace the event; fields about who can see it keep their values if left out",
        save,
        {200: EventDetail},
        EventInput,
        (IF_MATCH, CONFIRM),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/cancel",
        "cancelEvent",
        "Cancel the event; it stays visible as cancelled",
        cancel,
        {200: EventDetail},
        CancellationReason,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/reinstate",
        "reinstateEvent",
        "Reinstate a cancelled event",
        reinstate,
        {200: EventDetail},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "DELETE",
        "/api/events/{slug}",
        "deleteEvent",
        "Delete the event",
        delete,
        {204: None},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
)
