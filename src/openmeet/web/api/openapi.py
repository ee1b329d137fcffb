"""The OpenAPI 3.1 document, generated from the server's operations and types.

Each operation supplies its parameters, responses, errors and examples. Tables supply what cannot be derived from the
code, such as the meaning of a path segment or the example of a text. A missing entry raises an error that names it.
"""

import asyncio
import functools
import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from openmeet.domain.api_tokens.scopes import FOR_OPERATORS, FOR_SERVICES, SCOPE_DESCRIPTIONS, SERVICE_DESCRIPTIONS
from openmeet.web.api.etags import IF_NONE_MATCH
from openmeet.web.api.examples import NoExample, example_of
from openmeet.web.api.operations import FORM, ApiOperation, Parameter
from openmeet.web.api.problem import PlaceOutput, ProblemBody

_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_EVENT_STREAM = "text/event-stream"
_REFERENCES = "#/components/schemas/{name}"

# Every variable path segment.
PATH_DESCRIPTIONS: Final = {
    "message": "The id of a chat message",
    "key": "The id of a picture",
    "size": "large or small",
    "number": "The id of a place: of GeoNames, or of a postal code on this site",
    "slug": "The slug of the event, series or group",
    "originalDate": (
        "The permanent name of a date of the series: its wall-clock start according to the rule, YYYY-MM-DDTHH:MM:SS"
    ),
    "userId": "The id of a person",
    "token": "The token at the end of the link of an invitation or of a proof of attendance",
    "id": "The id of the object",
    "invitation": "The id of an invitation",
    "announcement": "The id of an announcement",
    "did": "A DID",
    "room": "The id of a chat room",
    "person": "The id of a person",
    "emoji": "One emoji",
    "flag": "The name of a feature flag",
    "attendanceId": "The id of an RSVP to the event",
    "deliveryId": "The id of a delivery",
    "proofId": "The id of a proof of attendance",
    "photoId": "The id of a photo",
    "subjectId": "The id of a person or a group",
}

# Every first segment after /api/.
AREA_DESCRIPTIONS: Final = {
    "session": "Sign in with a code or a password, and sign out",
    "auth": "Sign in with an AT Protocol account",
    "tokens": "API tokens",
    "me": "Your profile, settings and calendar",
    "notification-preferences": "Notification preferences",
    "notifications": "Notifications",
    "events": "Events and RSVPs",
    "my": "Your own lists",
    "series": "Series",
    "groups": "Groups",
    "co-hosting": "Invitations to co-host",
    "chat": "Chat",
    "searches": "Saved searches",
    "photos": "Photos",
    "places": "Towns",
    "people": "Hosts",
    "group-invitations": "Invitations to groups",
    "webhooks": "Webhooks",
    "calendar-feed": "The private calendar feed",
    "imports": "Imports of events and guests",
    "arrivals": "Invitations from imported lists",
    "attendance-proofs": "Proofs of attendance, for people who were given their address",
    "bluesky": "Records read from the network, for services",
    "integration": "Records of other systems, for services",
    "sync": "Synchronisation, for operators and services",
    "takeout": "All your data",
    "moderation": "Moderation",
}

# Errors that any operation can return in addition to its own: unreadable body, body too large, too many requests,
# internal error, unavailable.
_ALWAYS = (400, 413, 429, 500, 503)

# A response body that is a file (OpenAPI 3.1, 4.8.14.3).
_FILE: Final = {"schema": {"type": "string", "format": "binary"}, "example": "the bytes of the file"}

IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key",
    "A key that the client chooses for this request. A repetition with the same key within a day gets the same "
    "response and has no second effect. A different request with the same key is refused",
    "header",
)

_ETAG: Final = {
    "description": "Identifies this response, for If-None-Match, and for If-Match if the object can be edited",
    "required": True,
    "schema": {"type": "string"},
    "example": '"3-9f2c41d07b3e55a1"',
}

_PROBLEMS: Final = {
    400: ("InvalidRequest", "Give the event a title."),
    401: ("AuthenticationRequired", "Sign in first."),
    403: ("Forbidden", "Only the host can do this."),
    404: ("NotFound", "This event doesn’t exist."),
    409: ("InvalidSwap", "It has changed since you read it."),
    410: ("NotFound", "The host deleted this event."),
    412: ("InvalidSwap", "This is not the current version. Read it again, then change it."),
    413: ("PayloadTooLarge", "The request body is too large."),
    422: ("EventOver", "This event is over."),
    429: ("RateLimitExceeded", "Too many requests. Try again later."),
    500: ("InternalServerError", "Something went wrong on our side. If you report it, quote 9f2c41d07b3e-17."),
    502: ("UpstreamFailure", "pds.example answered with status 500."),
    503: ("NotEnoughResources", "We can’t do this right now. Try again in a minute."),
    504: ("UpstreamTimeout", "pds.example didn’t answer in time."),
}


# An example for each media type that a request body can have.
_FILES = {"text/calendar": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"}


def document(site_name: str, public_url: str, operations: Sequence[ApiOperation]) -> dict[str, Any]:
    """The document as a JSON value."""
    shapes = [ProblemBody, str, *(shape for one in operations for shape in _schema_types(one))]
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCES)
    schema_of = dict(zip(map(_schema_name, shapes), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{site_name} API",
            "version": "1",
            "description": "Instants are RFC 3339 in UTC; `startsLocal` is a wall-clock time in `timeZone`. "
            "Lists return a `cursor` for the next page. Errors are `application/problem+json`. An edit with "
            "`If-Match` gets 412 "
            "if the object has changed since that version. An edit without it changes the newest version.",
        },
        "servers": [{"url": public_url}],
        "tags": [_tag(area) for area in dict.fromkeys(one.area for one in operations)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "session": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A session that was opened with POST /api/session",
                },
                "token": {"type": "http", "scheme": "bearer", "description": _token_description()},
                "service": {"type": "http", "scheme": "bearer", "description": _service_description()},
            },
        },
    }


def serve(build: Callable[[], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint. The document is generated on the first request, because most processes never serve it."""
    body = functools.cache(lambda: msgspec.json.encode(build()))

    async def answer(_request: Request) -> Response:
        return Response(await asyncio.to_thread(body), media_type="application/vnd.oai.openapi+json;version=3.1")

    return answer


def _tag(area: str) -> dict[str, str]:
    if area not in AREA_DESCRIPTIONS:
        raise NoExample(f"Say what /api/{area} is about: AREA_DESCRIPTIONS in openmeet/web/api/openapi.py.")
    return {"name": area, "description": AREA_DESCRIPTIONS[area]}


def _schema_types(operation: ApiOperation) -> list[Any]:
    shapes = [shape for shape in (operation.body, *operation.answers.values()) if shape is not None]
    return [*shapes, *(parameter.shape for parameter in operation.parameters)]


def _schema_name(shape: Any) -> str:
    return repr(shape)


def _may_answer_410(operation: ApiOperation) -> bool:
    """Whether the operation can respond with 410. Paths below an event, series or group distinguish deleted objects
    from objects that never existed.
    """
    return 404 in operation.failures and "/{slug}" in operation.path


def _operation(api_operation: ApiOperation, schema_of: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, shape in api_operation.answers.items():
        responses[str(status)] = {"description": HTTPStatus(status).phrase}
        if shape is not None:
            responses[str(status)]["content"] = {
                api_operation.media_type: _answer_content(api_operation, shape, schema_of)
            }
        elif api_operation.media_type.startswith("image/") and status == HTTPStatus.OK:
            responses[str(status)]["content"] = {api_operation.media_type: _FILE}
        if status == HTTPStatus.SEE_OTHER:
            responses[str(status)]["headers"] = {
                "Location": {"description": "Where to go", "schema": {"type": "string", "format": "uri"}}
            }
        elif api_operation.method == "GET" and not api_operation.is_streamed:
            responses[str(status)]["headers"] = {"ETag": _ETAG}
            responses["304"] = {"description": "It is as If-None-Match says", "headers": {"ETag": _ETAG}}
    # An invalid token, or one without the scope, is refused even if the operation does not require a token.
    failures = {
        *_ALWAYS,
        401,
        403,
        *api_operation.failures,
        *((409, 422) if api_operation.takes_key else ()),
        *((410,) if _may_answer_410(api_operation) else ()),
    }
    for status in sorted(failures):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {
                "application/problem+json": {
                    "schema": schema_of[_schema_name(ProblemBody)],
                    "example": _problem_response(status, api_operation),
                }
            },
        }
    operation: dict[str, Any] = {
        "operationId": api_operation.name,
        "summary": api_operation.summary,
        "tags": [api_operation.area],
        "responses": responses,
    }
    parameters = [_in_path(name) for name in _PATH_PARAMETER.findall(api_operation.path)]
    parameters += [
        _parameter(each, schema_of) for each in (*api_operation.parameters, *_header_parameters(api_operation))
    ]
    if parameters:
        operation["parameters"] = parameters
    if api_operation.body is not None:
        operation["requestBody"] = {
            "required": not api_operation.body_is_optional,
            "content": {media: _content(api_operation.body, schema_of) for media in _media_types(api_operation)}
            | {media: {"schema": {"type": "string"}, "example": _FILES[media]} for media in api_operation.takes_files},
        }
    operation["security"] = _security(api_operation)
    return operation


def _media_types(operation: ApiOperation) -> tuple[str, ...]:
    return ("application/json", FORM) if operation.takes_forms else ("application/json",)


def _security(operation: ApiOperation) -> list[dict[str, list[str]]]:
    """The security requirements. An empty requirement in the list makes authentication optional. The requirement for
    tokens names their scope (OpenAPI 3.1, 4.8.30).
    """
    services = [{"service": [FOR_SERVICES[operation.name].value]}] if operation.name in FOR_SERVICES else []
    if services and operation.name not in FOR_OPERATORS:
        return services
    scope = operation.scope
    nobody: list[dict[str, list[str]]] = [] if operation.needs_session else [{}]
    return [*nobody, *services, {"session": []}, *([{"token": [scope.value]}] if scope else [])]


def _content(shape: Any, schema_of: dict[str, Any]) -> dict[str, Any]:
    return {"schema": schema_of[_schema_name(shape)], "example": example_of(shape)}


def _answer_content(operation: ApiOperation, shape: Any, schema_of: dict[str, Any]) -> dict[str, Any]:
    content = _content(shape, schema_of)
    if operation.media_type != _EVENT_STREAM:
        return content
    # OpenAPI 3.1 has no way to describe the events of a stream.
    description = (
        f"Events. The data of each is JSON as {content['schema']['$ref']} says; of the events again and out it is "
        "empty."
    )
    example = (
        f"id: {example_of(str, 'id')}:12\nevent: message\ndata: {msgspec.json.encode(content['example']).decode()}\n\n"
    )
    return {"schema": {"type": "string", "description": description}, "example": example}


def _header_parameters(operation: ApiOperation) -> list[Parameter]:
    """The headers that every operation of this kind accepts."""
    if operation.method == "GET":
        return [] if operation.is_streamed else [IF_NONE_MATCH]
    return [IDEMPOTENCY_KEY] if operation.takes_key else []


def _in_path(name: str) -> dict[str, Any]:
    if name not in PATH_DESCRIPTIONS:
        raise NoExample(f"Say what {{{name}}} means in an address: PATH_DESCRIPTIONS in openmeet/web/api/openapi.py.")
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": PATH_DESCRIPTIONS[name],
        "schema": {"type": "string"},
        "example": example_of(str, name),
    }


def _parameter(parameter: Parameter, schema_of: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.is_required,
        "description": parameter.what,
        "schema": schema_of[_schema_name(parameter.shape)],
        "example": example_of(parameter.shape, parameter.name),
    }


def _token_description() -> str:
    scopes = "; ".join(f"`{scope}`: {words}" for scope, words in SCOPE_DESCRIPTIONS.items())
    return f"A token that a user created for a program, limited to scopes. {scopes}."


def _service_description() -> str:
    scopes = "; ".join(f"`{scope}`: {words}" for scope, words in SERVICE_DESCRIPTIONS.items())
    return (
        "A credential that the operator created for a program of the installation (`openmeet services make`). "
        f"{scopes}."
    )


def _problem_response(status: int, operation: ApiOperation) -> dict[str, Any]:
    title, why = _PROBLEMS[status]
    example = {"type": "about:blank", "title": title, "status": status, "detail": why, "requestId": "9f2c41d07b3e-17"}
    if status != HTTPStatus.BAD_REQUEST:
        return example
    if not any(parameter.name == "near" for parameter in operation.parameters):
        return example | {"fields": {"title": why}}
    place = example_of(PlaceOutput)
    why = f"Several places have this name: {place['label']}."
    return example | {"detail": why, "fields": {"near": why}, "choices": [place]}
