"""Hosts' actions on an event, as JSON: create, edit, cancel, reinstate, delete, picture."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, InvalidInput, NotFound
from groundwork.http.json_bodies import read_json, with_current_values
from openmeet.domain.attendance import capacity_change, event_hosting
from openmeet.domain.events import actions, event_access, queries, rules
from openmeet.domain.events.group_of_event import group_for
from openmeet.domain.events.model import Details, Event, EventSlug
from openmeet.domain.events.publication import is_held_at_first
from openmeet.domain.events.queries import by_id, by_slug
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.validation import GeneralReason
from openmeet.web.api.etags import IF_MATCH, expected_revision
from openmeet.web.api.operations import ApiOperation
from openmeet.web.attendance.lower_limit import CONFIRM_LOWER_LIMIT, require_confirmed_lower_limit
from openmeet.web.events.api import to_host
from openmeet.web.events.new_pages import publish_first
from openmeet.web.events.schemas import API_FIELDS, EventDetail, EventInput
from openmeet.web.media.uploads import PictureInput, check_alt, store_uploaded
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

_FAILURES = (403, 404, 412, 422)


class CancellationReason(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The reason for a cancellation. Everyone can read it."""

    reason: str = ""


async def create(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, EventInput)
    if body.is_correction:
        raise InvalidInput("isCorrection", EventReason.NOTHING_TO_CORRECT)
    details = checked_details(body, services(request).clock.now())
    async with database_of(request).transaction() as tx:
        group = await group_for(tx, body.group, caller.user_id)
        is_held = await is_held_at_first(tx, caller.user_id, details, group)
        event = await actions.create(tx, caller, details, is_held=is_held, group=group, is_draft=body.is_draft)
        return await to_host(request, tx, event, 201)


async def publish_afterwards(request: Request, response: Response) -> Response:
    """After the commit, publish the record of an event that stays hidden until its author's PDS has the record. The
    response shows the result.

    For operations that return an event: ``ApiOperation(afterwards=publish_afterwards)``.
    """
    created_event = msgspec.json.decode(bytes(response.body), type=EventDetail)
    if not created_event.awaits_repository:
        return response
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, EventSlug(created_event.slug))
    if event is None or not event.is_held or event.is_draft or not await publish_first(request, event):
        return response
    async with database_of(request).reader() as reader:
        return await to_host(request, reader, await by_id(reader, event.id) or event, response.status_code)


async def save(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, EventInput)
    async with database_of(request).transaction() as tx:
        before = await by_slug(tx, event_slug_of(request))
        # Check access before the body. Otherwise errors in the body would reveal that a hidden event exists.
        if before is None or not await event_access.may_see(tx, before, caller.user_id, has_rsvp_access=False):
            raise NotFound(GeneralReason.NO_SUCH_EVENT)
        if body.group:
            raise InvalidInput("group", EventReason.GROUP_STAYS)
        before = await event_hosting.lock(tx, before.slug) or before
        body = await with_current_values(request, body, _who_sees_what(before))
        details = checked_details(body, tx.now, before)
        impact = await capacity_change.impact_of_details(tx, [(before, details)])
        event = await event_hosting.revise(
            tx,
            caller,
            before.slug,
            details,
            expected_revision=expected_revision(request),
            is_correction=body.is_correction,
        )
        # Checked after permission and version, which may be why a client sends back an earlier ``isDraft``. It is true in
        # responses for all events that only their hosts can see.
        if body.is_draft and not before.is_held:
            raise InvalidInput("isDraft", EventReason.UNPUBLISH_INSTEAD)
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
        "door_audience": event.content.entry_audience.value,
    }


async def cancel(request: Request) -> Response:
    caller = caller_of(request)
    reason = rules.check_reason((await read_json(request, CancellationReason)).reason)
    async with database_of(request).transaction() as tx:
        event = await event_hosting.cancel(
            tx, caller, event_slug_of(request), reason, expected_revision=expected_revision(request)
        )
        return await to_host(request, tx, event)


async def reinstate(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        event = await event_hosting.reinstate(
            tx, caller, event_slug_of(request), expected_revision=expected_revision(request)
        )
        return await to_host(request, tx, event)


async def delete(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await event_hosting.delete(tx, caller, event_slug_of(request), expected_revision=expected_revision(request))
    return Response(status_code=204)


async def put_picture(request: Request) -> Response:
    caller, slug = caller_of(request), event_slug_of(request)
    body = await read_json(request, PictureInput)
    db = database_of(request)
    async with db.reader() as reader:
        event = await event_access.require_visible(reader, await queries.by_slug(reader, slug), caller.user_id)
        await event_access.require_editable(reader, event, caller.user_id)
    picture = await store_uploaded(request, caller.user_id, body.image, check_alt(body.alt))
    async with db.transaction() as tx:
        saved = await actions.set_picture(tx, caller, slug, picture, expected_revision=expected_revision(request))
        return await to_host(request, tx, saved)


async def remove_picture(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        saved = await actions.remove_picture(
            tx, caller, event_slug_of(request), expected_revision=expected_revision(request)
        )
        return await to_host(request, tx, saved)


@contextmanager
def in_api_names() -> Iterator[None]:
    """Context manager that raises InvalidForm errors with the API's field names."""
    try:
        yield
    except InvalidForm as wrong:
        raise InvalidForm({API_FIELDS.get(name, name): why for name, why in wrong.problems.items()}) from None


def checked_details(body: EventInput, now: Instant, before: Event | None = None) -> Details:
    """``rules.check`` with errors under API field names. A start in the past must be confirmed."""
    with in_api_names():
        details = rules.check(body.submission(), before)
    if not body.allow_past and rules.starts_in_the_past(details, before, now):
        raise InvalidForm({"starts_local": EventReason.START_IN_PAST_SEND_AGAIN})
    return details


OPERATIONS = (
    ApiOperation(
        "POST",
        "/api/events",
        "createEvent",
        "Create an event. You host it",
        create,
        {201: EventDetail},
        EventInput,
        failures=(403, 404, 422),
        afterwards=publish_afterwards,
    ),
    ApiOperation(
        "PUT",
        "/api/events/{slug}",
        "saveEvent",
        "Replace the event. Fields about who can see it keep their values if left out",
        save,
        {200: EventDetail},
        EventInput,
        (IF_MATCH, CONFIRM_LOWER_LIMIT),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/cancel",
        "cancelEvent",
        "Cancel the event. It stays visible as cancelled",
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
    ApiOperation(
        "PUT",
        "/api/events/{slug}/picture",
        "putEventPicture",
        "Set the picture of the event",
        put_picture,
        {200: EventDetail},
        PictureInput,
        (IF_MATCH,),
        failures=_FAILURES,
        is_idempotent=True,
    ),
    ApiOperation(
        "DELETE",
        "/api/events/{slug}/picture",
        "removeEventPicture",
        "Remove the picture of the event",
        remove_picture,
        {200: EventDetail},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
)
