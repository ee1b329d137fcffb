"""Drafts, as JSON: publish one now or at a set time, turn an event back into a draft, and copy an event."""

from typing import ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, PreconditionFailed
from groundwork.http.json_bodies import read_json
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.event_hosting import unpublish
from openmeet.domain.events import actions, draft_queries, drafts, event_access, rules
from openmeet.domain.events.group_of_event import group_of_copy
from openmeet.domain.events.model import Event
from openmeet.domain.events.publication import is_held_at_first
from openmeet.domain.events.queries import by_id, by_slug
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.submissions import further_fields, unpack, values_of_event
from openmeet.domain.series.model import Timing
from openmeet.web.api.etags import IF_MATCH, expected_revision
from openmeet.web.api.instants import parse_optional_instant
from openmeet.web.api.operations import ApiOperation
from openmeet.web.events.api import to_host
from openmeet.web.events.hosting_api import in_api_names, publish_afterwards
from openmeet.web.events.schemas import EventDetail
from openmeet.web.series import create as series
from openmeet.web.series import recurrence_form, recurrence_preview
from openmeet.web.site.caller import caller_of
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of


class PublishTime(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The instant at which to publish. Without ``publishAt``, publish at once."""

    publish_at: str | None = None


class Copy(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The wall-clock times of the copy, in the event's time zone. With ``isDraft``, the copy is not published yet."""

    EXAMPLE: ClassVar[dict[str, object]] = {"startsLocal": "2027-03-09T18:00", "endsLocal": None, "isDraft": True}

    starts_local: str
    ends_local: str | None = None
    is_draft: bool = False
    allow_past: bool = False


async def publish(request: Request) -> Response:
    caller = caller_of(request)
    at = parse_optional_instant((await read_json(request, PublishTime)).publish_at, "publishAt")
    checked = await _stored_timing(request)
    checked_timing = None if checked is None else await series.check_timing(request, checked)
    async with database_of(request).transaction() as tx:
        before = await _visible_event(tx, request)
        revision = expected_revision(request)
        if not before.is_draft:
            # The event was already published, and nothing changes.
            await actions.lock_for_host(tx, caller, before.slug, revision)
            return await to_host(request, tx, before)
        stored_fields = await draft_queries.fields(tx, before.id)
        form, more = unpack(stored_fields), further_fields(stored_fields)
        with in_api_names():
            details = rules.check(form, before)
            timing = recurrence_form.submitted_timing(more, details)
        if timing != checked:
            raise PreconditionFailed(EventReason.DRAFT_CHANGED)
        if checked_timing is not None:
            if at is not None:
                raise InvalidForm({"publishAt": EventReason.SERIES_NOT_SCHEDULED})
            locked = await drafts.lock_to_publish(tx, caller, before.slug, expected_revision=revision)
            new_series = await series.of_draft(tx, caller, locked, details, checked_timing)
            event = await by_id(tx, new_series.first) or before
        elif at is None:
            event = await drafts.publish(tx, caller, before.slug, details, expected_revision=revision)
        else:
            if at <= tx.now or at >= details.starts_at:
                raise InvalidForm({"publishAt": EventReason.MOMENT_OUT_OF_RANGE})
            event = await drafts.keep(tx, caller, before.slug, form, more, publish_at=at, expected_revision=revision)
        return await to_host(request, tx, event)


async def _stored_timing(request: Request) -> Timing | None:
    """The recurrence stored with the draft, or None if there is none. Raises InvalidForm."""
    async with database_of(request).reader() as reader:
        event = await _visible_event(reader, request)
        if not event.is_draft:
            return None
        stored_fields = await draft_queries.fields(reader, event.id)
    with in_api_names():
        return await recurrence_preview.timing_of(
            request, further_fields(stored_fields), rules.check(unpack(stored_fields), event)
        )


async def make_draft(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        event = await unpublish(
            tx, caller_of(request), event_slug_of(request), expected_revision=expected_revision(request)
        )
        return await to_host(request, tx, event)


async def duplicate(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, Copy)
    async with database_of(request).transaction() as tx:
        event = await drafts.event_to_copy(tx, event_slug_of(request), caller)
        form = values_of_event(event) | {"starts": body.starts_local, "ends": body.ends_local or ""}
        with in_api_names():
            details = rules.check(rules.Submission(**form))
            if not body.allow_past and rules.starts_in_the_past(details, None, tx.now):
                raise InvalidForm({"starts": EventReason.START_IN_PAST_SEND_AGAIN})
        details = drafts.with_untyped_fields(details, event)
        # If the caller may not create events in the group of the original, the copy has no group.
        group = await group_of_copy(tx, event, caller.user_id)
        is_held = await is_held_at_first(tx, caller.user_id, details, group)
        copy_of_event = await actions.create(tx, caller, details, is_held=is_held, group=group, is_draft=body.is_draft)
        # Registration settings are copied too.
        await registration.copy_from_event(tx, event, copy_of_event.id)
        return await to_host(request, tx, copy_of_event, 201)


async def _visible_event(tx: Reader, request: Request) -> Event:
    return await event_access.require_visible(tx, await by_slug(tx, event_slug_of(request)), caller_of(request).user_id)


OPERATIONS = (
    ApiOperation(
        "POST",
        "/api/events/{slug}/publish",
        "publishEvent",
        "Publish a draft, now or at a set time. A draft that repeats becomes a series, and the response is its first date",
        publish,
        {200: EventDetail},
        PublishTime,
        (IF_MATCH,),
        failures=(403, 404, 412, 422),
        afterwards=publish_afterwards,
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/unpublish",
        "unpublishEvent",
        "Turn the event back into a draft, while nobody has answered",
        make_draft,
        {200: EventDetail},
        None,
        (IF_MATCH,),
        failures=(403, 404, 412, 422),
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/duplicate",
        "duplicateEvent",
        "Copy the event to another date, without its answers",
        duplicate,
        {201: EventDetail},
        Copy,
        failures=(403, 404, 422),
        afterwards=publish_afterwards,
    ),
)
