"""Making an event by the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, InvalidInput
from groundwork.http.json_bodies import json_response, read_json
from openmeet.events import actions, rules
from openmeet.events.grouping import group_for
from openmeet.events.model import MAX_KEY, Details, Event
from openmeet.events.pages import publish_first
from openmeet.events.publishing import is_held_at_first
from openmeet.events.queries import by_id
from openmeet.events.shapes import API_FIELDS, EventShown, EventWanted, shown_to_host
from openmeet.site.etags import etag_of
from openmeet.site.operations import Operation, Parameter
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of

IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "The same key again answers the event that was made the first time; with another body it is refused",
    "header",
)


async def create(request: Request) -> Response:
    caller = caller_of(request)
    key = key_of(request)
    wanted = await read_json(request, EventWanted)
    details = checked(wanted, request.app.state.clock.now())
    async with database_of(request).transaction() as tx:
        group = await group_for(tx, wanted.group, caller.user_id)
        is_held = await is_held_at_first(tx, caller.user_id, details, group)
        event = await actions.create(
            tx, caller, details, submission_key=key, is_held=is_held, group=group, is_draft=wanted.is_draft
        )
    if event.is_held and not event.is_draft and await publish_first(request, event):
        async with database_of(request).reader() as reader:
            event = await by_id(reader, event.id) or event
    shown = shown_to_host(event, request.app.state.settings.public_url)
    return json_response(shown, 201, {**etag_of(event.revision), "location": f"/api/events/{quote(event.slug)}"})


def key_of(request: Request) -> str | None:
    """The key that a client sends so that the same request makes one thing; InvalidInput for one that is none."""
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= MAX_KEY:
        raise InvalidInput("Idempotency-Key", f"A key has 1 to {MAX_KEY} characters.")
    return key


@contextmanager
def in_api_names() -> Iterator[None]:
    """Problems of a form under the names that the API uses."""
    try:
        yield
    except InvalidForm as wrong:
        raise InvalidForm({API_FIELDS.get(name, name): why for name, why in wrong.problems.items()}) from None


def checked(wanted: EventWanted, now: Instant, before: Event | None = None) -> Details:
    """``rules.check``, with problems under the names that the API uses; a start that is over must be meant."""
    with in_api_names():
        details = rules.check(wanted.submission(), before)
    if not wanted.allow_past and rules.starts_in_the_past(details, before, now):
        raise InvalidForm({"starts_local": "This start is over. Send allowPast: true if that is right."})
    return details


OPERATIONS = (
    Operation(
        "POST",
        "/api/events",
        "createEvent",
        "Make an event; the caller hosts it",
        create,
        {201: EventShown},
        EventWanted,
        (IDEMPOTENCY_KEY,),
        failures=(403, 404, 422),
    ),
)
