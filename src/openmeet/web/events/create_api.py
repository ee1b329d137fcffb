"""Create events, as JSON."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.errors import InvalidForm
from groundwork.http.json_bodies import read_json
from openmeet.domain.events import actions, rules
from openmeet.domain.events.group_events import group_for
from openmeet.domain.events.model import Details, Event, EventSlug
from openmeet.domain.events.publication import is_held_at_first
from openmeet.domain.events.queries import by_id, by_slug
from openmeet.domain.events.reasons import EventReason
from openmeet.web.api.operations import ApiOperation
from openmeet.web.events.detail import to_host
from openmeet.web.events.new_pages import publish_first
from openmeet.web.events.schemas import API_FIELDS, EventDetail, EventInput
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


async def create(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, EventInput)
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
        "Create an event; the caller hosts it",
        create,
        {201: EventDetail},
        EventInput,
        failures=(403, 404, 422),
        afterwards=publish_afterwards,
    ),
)
