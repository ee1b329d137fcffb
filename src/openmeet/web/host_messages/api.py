"""Host messages, as JSON."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.host_messages import actions, queries
from openmeet.domain.host_messages.actions import check
from openmeet.domain.host_messages.queries import HostMessage, MessageId
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.web.api.instants import parse_optional_instant
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.site.caller import caller_of
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

AddresseesName = Literal["going", "interested", "waiting", "attended"]
MessageStateName = Literal["scheduled", "sent", "called_off"]


class MessageInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``sendAt`` is the instant at which to send the message. If left out, it is sent at once."""

    text: str
    addressees: list[AddresseesName]
    send_at: str | None = None


class MessagePreview(msgspec.Struct, rename="camel"):
    """How many people the message would reach now. ``unreached`` counts people in the audience who have no address or
    have turned messages off.
    """

    recipients: int
    unreached: int


class MessageOutput(msgspec.Struct, rename="camel"):
    """One message. ``recipients`` is the number of people it was sent to."""

    id: str
    text: str
    addressees: list[AddresseesName]
    state: MessageStateName
    author_id: str
    send_at: str
    sent_at: str | None
    recipients: int


class MessageList(msgspec.Struct, rename="camel"):
    """Messages from the hosts of an event, newest first. ``cursor`` is null on the last page."""

    messages: list[MessageOutput]
    cursor: str | None


async def list_messages(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        event = await actions.find_for_host(reader, caller_of(request), event_slug_of(request))
        messages, cursor = page.cut(await queries.of_event(reader, event.id, page), lambda one: (one.number, one.id))
    return json_response(MessageList([_message_output(one) for one in messages], cursor))


async def preview(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, MessageInput)
    async with database_of(request).reader() as reader:
        event = await actions.find_for_host(reader, caller, event_slug_of(request))
        _, addressees = check(body.text, body.addressees, parse_optional_instant(body.send_at, "send_at"), reader.now)
        recipients = await actions.recipients(reader, event, addressees, caller.user_id)
    return json_response(MessagePreview(len(recipients.reached), recipients.unreached))


async def write(request: Request) -> Response:
    body = await read_json(request, MessageInput)
    at = parse_optional_instant(body.send_at, "send_at")
    async with database_of(request).transaction() as tx:
        message = await actions.write(
            tx, caller_of(request), event_slug_of(request), body.text, body.addressees, send_at=at
        )
    return json_response(_message_output(message), 201)


async def call_off(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        message = await actions.cancel(
            tx, caller_of(request), event_slug_of(request), MessageId(request.path_params["id"])
        )
    return json_response(_message_output(message))


def _message_output(message: HostMessage) -> MessageOutput:
    return MessageOutput(
        message.id,
        message.text,
        [addressee.value for addressee in message.addressees],
        message.state.value,
        message.author_id,
        iso(message.send_at),
        iso_or_none(message.sent_at),
        message.recipients,
    )


_FAILURES = (403, 404)

OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/events/{slug}/messages",
        "listMessages",
        "Messages of the hosts to attendees, and the number of recipients",
        list_messages,
        {200: MessageList},
        parameters=(CURSOR, LIMIT),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/messages/preview",
        "previewMessage",
        "The number of people who would get a message now. Sends nothing",
        preview,
        {200: MessagePreview},
        MessageInput,
        failures=_FAILURES,
        changes_nothing=True,
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/messages",
        "writeMessage",
        "Send a message to attendees, now or at a set time",
        write,
        {201: MessageOutput},
        MessageInput,
        failures=(403, 404, 422, 429),
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/messages/{id}/call-off",
        "callOffMessage",
        "Cancel a scheduled message",
        call_off,
        {200: MessageOutput},
        failures=(403, 404, 422),
    ),
)
