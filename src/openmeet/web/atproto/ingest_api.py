"""Ingestion by services, as JSON: batches of records from external processors, and single records from other systems."""

from collections.abc import Collection
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.tid import from_microseconds
from groundwork.errors import Forbidden, InvalidInput, Unavailable
from groundwork.http.json_bodies import MAX_CONTAINERS_OF_MANY, MAX_DEPTH_OF_MANY, json_response, read_json
from groundwork.queue.contract import Message
from openmeet.domain.api_tokens.scopes import ServiceScope
from openmeet.i18n.reasons.messages import explain
from openmeet.network.ingestion import submitted_records
from openmeet.network.ingestion.submitted_records import MAX_BATCH, OperationName, ResultName, SubmittedRecord
from openmeet.network.records.collections import EVENTS, RSVPS
from openmeet.network.records.message import RecordMessage, RecordOperation, encode
from openmeet.network.status import SyncDependencies
from openmeet.web.api.authentication import service_of
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.atproto.reasons import AtprotoReason
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_DID: Final = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
_EVENT: Final = {
    "$type": "community.lexicon.calendar.event",
    "name": "Board games",
    "startsAt": "2027-03-02T17:00:00Z",
    "createdAt": "2027-02-01T09:00:00Z",
}
_EVENT_URI: Final = f"at://{_DID}/community.lexicon.calendar.event/3lqw2jz5u7k2a"


class RecordSent(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """One change of a record, as the network sent it. ``uri`` and ``cid`` are checked if present."""

    EXAMPLE: ClassVar[dict[str, object]] = {
        "operation": "create",
        "did": _DID,
        "collection": "community.lexicon.calendar.event",
        "rkey": "3lqw2jz5u7k2a",
        "rev": "3lqw2jz5u7k2b",
        "uri": _EVENT_URI,
        "record": _EVENT,
    }

    operation: OperationName
    did: str
    collection: str
    rkey: str
    rev: str
    uri: str | None = None
    cid: str | None = None
    record: dict[str, Any] | None = None


class BatchSent(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Changes, in the order in which to apply them. ``isVerified`` means that the service has checked their signatures."""

    EXAMPLE: ClassVar[dict[str, object]] = {"messages": [RecordSent.EXAMPLE], "isVerified": False}

    messages: Annotated[list[RecordSent], msgspec.Meta(max_length=MAX_BATCH)]
    is_verified: bool = False


class MessageSettled(msgspec.Struct, rename="camel"):
    """The result of one change. It includes the reason if the change was refused or invalid."""

    EXAMPLE: ClassVar[dict[str, object]] = {"uri": _EVENT_URI, "outcome": "applied", "reason": ""}

    uri: str
    outcome: ResultName
    reason: str


class BatchSettled(msgspec.Struct, rename="camel"):
    """One result per change, in the order of the batch."""

    messages: list[MessageSettled]


class SourceSent(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The current record of another system. Without ``rev``, the record counts as the state at the time of the request."""

    EXAMPLE: ClassVar[dict[str, object]] = {"sourceType": "bluesky", "sourceId": _EVENT_URI, "record": _EVENT}

    source_type: Literal["bluesky"]
    source_id: str
    record: dict[str, Any]
    rev: str | None = None
    cid: str | None = None


class SourceTaken(msgspec.Struct, rename="camel"):
    """The record was queued under this name. The name also appears in logs and dead letters."""

    EXAMPLE: ClassVar[dict[str, object]] = {"messageId": f"{_EVENT_URI}@3lqw2jz5u7k2b"}

    message_id: str


class SourceGone(msgspec.Struct, rename="camel"):
    """The result of a deletion. ``isChanged`` is false if there is no record with this URI."""

    EXAMPLE: ClassVar[dict[str, object]] = {"message": "It is gone.", "isChanged": True}

    message: str
    is_changed: bool


async def process_events(request: Request) -> Response:
    return await _process(request, EVENTS)


async def process_rsvps(request: Request) -> Response:
    return await _process(request, RSVPS)


async def integrate_event(request: Request) -> Response:
    return await _integrate(request, EVENTS)


async def integrate_rsvp(request: Request) -> Response:
    return await _integrate(request, RSVPS)


async def take_back_event(request: Request) -> Response:
    return await _retract(request, EVENTS)


async def take_back_rsvp(request: Request) -> Response:
    return await _retract(request, RSVPS)


async def _process(request: Request, collections: Collection[Nsid]) -> Response:
    # A record that exceeds the limits of one document is refused on its own, with a reason.
    sent = await read_json(request, BatchSent, max_depth=MAX_DEPTH_OF_MANY, max_containers=MAX_CONTAINERS_OF_MANY)
    if sent.is_verified and ServiceScope.VOUCH not in service_of(request).scopes:
        raise Forbidden(AtprotoReason.VOUCHING_NEEDS_SCOPE, scope=ServiceScope.VOUCH, name="InsufficientScope")
    batch = [
        SubmittedRecord(
            RecordOperation(one.operation), one.did, one.collection, one.rkey, one.rev, one.uri, one.cid, one.record
        )
        for one in sent.messages
    ]
    results = await submitted_records.apply_batch(
        database_of(request),
        sync_dependencies_of(request).ingestion_context,
        batch,
        collections=collections,
        is_vouched=sent.is_verified,
    )
    return json_response(BatchSettled([MessageSettled(one.uri, one.result, explain(one.reason)) for one in results]))


async def _integrate(request: Request, collections: Collection[Nsid]) -> Response:
    source = await read_json(request, SourceSent)
    message = _message(request, source.source_id, collections, RecordOperation.UPDATE, source)
    envelope = Message(message.routing_key, message.did, encode(message), message.message_id)
    await sync_dependencies_of(request).queue.publish([envelope])
    return json_response(SourceTaken(message.message_id), 202)


async def _retract(request: Request, collections: Collection[Nsid]) -> Response:
    kind = request.query_params.get("sourceType", "")
    if kind != "bluesky":
        raise InvalidInput("sourceType", AtprotoReason.UNKNOWN_SOURCE)
    source_id = request.query_params.get("sourceId", "")
    message = _message(request, source_id, collections, RecordOperation.DELETE, None)
    result = await submitted_records.delete_reported(
        database_of(request), sync_dependencies_of(request).ingestion_context, message.at_uri, message
    )
    words = {
        "gone": "It is gone.",
        "doubted": "Its author has signed for it: their server is asked whether it is gone.",
        "unknown": "Nothing is known under this address; nothing was changed.",
    }
    return json_response(SourceGone(words[result], result == "gone"))


def _message(
    request: Request, source_id: str, collections: Collection[Nsid], change: RecordOperation, source: SourceSent | None
) -> RecordMessage:
    uri = submitted_records.source_of(source_id, collections)
    clock = services(request).clock
    now = str(from_microseconds(clock.now(), 0))
    handed = SubmittedRecord(
        change,
        parse_did(uri.authority),
        str(uri.collection),
        str(uri.rkey),
        (source.rev if source else None) or now,
        None,
        source.cid if source else None,
        source.record if source else None,
    )
    return submitted_records.message_of(handed, collections)


def sync_dependencies_of(request: Request) -> SyncDependencies:
    """The services that synchronization needs. Raises Unavailable if the site was started without them."""
    dependencies = services(request).sync_dependencies
    if dependencies is None:
        raise Unavailable(AtprotoReason.NOT_CONNECTED)
    return dependencies


_SOURCE: Final = (
    Parameter("sourceId", "The at-uri of the record", is_required=True),
    Parameter("sourceType", "The kind of source: bluesky", shape=Literal["bluesky"], is_required=True),
)


def _process_operation(path: str, name: str, summary: str, answer: Any) -> ApiOperation:
    return ApiOperation(
        "POST", path, name, summary, answer, {200: BatchSettled}, BatchSent, is_idempotent=True, failures=(403,)
    )


def _integrate_operation(path: str, name: str, summary: str, answer: Any) -> ApiOperation:
    return ApiOperation("POST", path, name, summary, answer, {202: SourceTaken}, SourceSent, is_idempotent=True)


def _withdraw_operation(path: str, name: str, summary: str, answer: Any) -> ApiOperation:
    return ApiOperation(
        "DELETE", path, name, summary, answer, {200: SourceGone}, parameters=_SOURCE, is_idempotent=True
    )


OPERATIONS = (
    _process_operation("/api/bluesky/events/process", "processEvents", "Apply records of events", process_events),
    _process_operation("/api/bluesky/rsvps/process", "processRsvps", "Apply records of answers", process_rsvps),
    _integrate_operation(
        "/api/integration/events", "integrateEvent", "Submit an event of another system", integrate_event
    ),
    _integrate_operation(
        "/api/integration/rsvps", "integrateRsvp", "Submit an answer of another system", integrate_rsvp
    ),
    _withdraw_operation(
        "/api/integration/events",
        "takeBackEvent",
        "Report that an event of another system was deleted",
        take_back_event,
    ),
    _withdraw_operation(
        "/api/integration/rsvps", "takeBackRsvp", "Report that an answer of another system was deleted", take_back_rsvp
    ),
)

# A record can have a million bytes, and JSON escapes can make it four times as long.
HANDED_IN_PATHS: Final = frozenset(operation.path for operation in OPERATIONS)
HANDED_IN_BYTES: Final = 4_000_000
