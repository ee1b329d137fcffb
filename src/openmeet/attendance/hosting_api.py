"""What a host does to an event, as JSON: edit, cancel, bring back, delete."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidInput, NotFound
from groundwork.http.json_bodies import json_response, keeping, read_json
from openmeet.attendance import hosting, lowering
from openmeet.events import rules, seeing
from openmeet.events.api import checked
from openmeet.events.model import Event, EventSlug
from openmeet.events.queries import by_slug
from openmeet.events.shapes import EventShown, EventWanted, shown_to_host
from openmeet.site.etags import IF_MATCH, etag_of, expected_revision
from openmeet.site.operations import Operation
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of

_FAILURES = (403, 404, 412, 422)


class CancellationReason(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Why it is called off; shown to everybody."""

    reason: str = ""


async def save(request: Request) -> Response:
    caller = caller_of(request)
    wanted = await read_json(request, EventWanted)
    async with database_of(request).transaction() as tx:
        before = await by_slug(tx, _slug(request))
        # Who may not see it must not learn from what is said about their body that it is there.
        if before is None or not await seeing.may_see(tx, before, caller.user_id, is_invited=False):
            raise NotFound("There is no such event.")
        if wanted.group:
            raise InvalidInput("group", "An event stays in the group that it was made in, or in none.")
        wanted = await keeping(request, wanted, _who_sees_what(before))
        details = checked(wanted, tx.now, before)
        lowered = await lowering.by_details(tx, [(before, details)])
        event = await hosting.revise(tx, caller, before.slug, details, expected_revision=expected_revision(request))
        # Last, and nothing of it is kept: who may not edit it, or edits an older version, hears that, and not how many stand.
        lowering.must_be_confirmed(request, lowered)
    return _shown(request, event)


def _who_sees_what(event: Event) -> dict[str, str]:
    """Fields of ``EventWanted`` that stay where a replace does not name them."""
    return {
        "visibility": event.own_visibility.value,
        "place_audience": event.place_audience.value,
        "online_url_audience": event.online_url_audience.value,
        "door_audience": event.door_audience.value,
    }


async def cancel(request: Request) -> Response:
    caller = caller_of(request)
    reason = rules.check_reason((await read_json(request, CancellationReason)).reason)
    async with database_of(request).transaction() as tx:
        event = await hosting.cancel(tx, caller, _slug(request), reason, expected_revision=expected_revision(request))
    return _shown(request, event)


async def reinstate(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        event = await hosting.reinstate(tx, caller, _slug(request), expected_revision=expected_revision(request))
    return _shown(request, event)


async def delete(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await hosting.delete(tx, caller, _slug(request), expected_revision=expected_revision(request))
    return Response(status_code=204)


def _slug(request: Request) -> EventSlug:
    return EventSlug(request.path_params["slug"])


def _shown(request: Request, event: Event) -> Response:
    return json_response(shown_to_host(event, request.app.state.settings.public_url), headers=etag_of(event.revision))


OPERATIONS = (
    Operation(
        "PUT",
        "/api/events/{slug}",
        "saveEvent",
        "Replace what the host decides; who may see what stays as it is where that is left out",
        save,
        {200: EventShown},
        EventWanted,
        (IF_MATCH, lowering.CONFIRM),
        failures=_FAILURES,
    ),
    Operation(
        "POST",
        "/api/events/{slug}/cancel",
        "cancelEvent",
        "Call the event off; it stays visible as cancelled",
        cancel,
        {200: EventShown},
        CancellationReason,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    Operation(
        "POST",
        "/api/events/{slug}/reinstate",
        "reinstateEvent",
        "Bring a cancelled event back",
        reinstate,
        {200: EventShown},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    Operation(
        "DELETE",
        "/api/events/{slug}",
        "deleteEvent",
        "Take the event away",
        delete,
        {204: None},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
)
