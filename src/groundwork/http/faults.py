"""Error responses: the type of failure decides the status (``groundwork.errors.KINDS``), and a renderer the format.

A ``Fault`` contains only what a renderer may show. It never contains the text of an unexpected exception: clients get
the request id, and the log has the details. Programs add exceptions of lower layers with a translation table:
``{Malformed: lambda error: InvalidInput("", error.why)}``.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from groundwork.errors import (
    NAMES_ANSWERED_WITH_400,
    Explanation,
    Failure,
    InvalidForm,
    InvalidInput,
    TooLarge,
    TooMany,
    Unavailable,
    Why,
    kind_of,
)
from groundwork.http.json_bodies import json_name

Translations = Mapping[type[Exception], Callable[[Exception], Failure]]

# Requests that the router or the protocol rejected before any handler ran: (error name, sentence).
_OF_HTTP = {
    400: ("InvalidRequest", "The request is unreadable."),
    404: ("NotFound", "There’s nothing at this address."),
    405: ("MethodNotAllowed", "This address doesn’t support that method."),
    408: ("RequestTimeout", "The upload was too slow. Try again on a faster connection."),
    414: ("InvalidRequest", "The address is too long."),
    415: ("UnsupportedMediaType", "The body is in an encoding that is not understood here."),
    426: ("InvalidRequest", "This address speaks WebSocket only."),
    431: ("InvalidRequest", "The headers are too long."),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """The parts of a failure that may be shown, in the reader's language.

    ``problems`` maps form fields to sentences. ``kind`` is a label for logs and metrics. ``facts`` are for programs.
    ``cause`` is for the log: the reason's code with its parameters.
    """

    kind: str
    http_status: int
    xrpc_status: int
    name: str
    why: str
    request_id: str
    field: str = ""
    problems: Mapping[str, str] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, object] = dataclasses.field(default_factory=dict)
    cause: str = ""


# Returns the sentence for an explanation, in the reader's language.
Explain = Callable[[Why], str]

Renderer = Callable[[HTTPConnection, Fault], Response]


def fault_of(error: Exception, request_id: str, translations: Translations, explain: Explain = str) -> Fault:
    """Return the fault for an exception. An exception that is not a Failure is a bug, and its fault has no details."""
    if not isinstance(error, Failure):
        for parent in type(error).__mro__:
            if parent in translations:
                error = translations[parent](error)
                break
    if isinstance(error, Failure):
        return _of_failure(error, request_id, explain)
    if isinstance(error, HTTPException):
        name, why = _OF_HTTP.get(error.status_code, ("InvalidRequest", "The request was refused."))
        headers = dict(error.headers or {})
        return Fault("HTTP", error.status_code, error.status_code, name, explain(why), request_id, headers=headers)
    why = f"Something went wrong on our side. If you report it, quote {request_id}."
    return Fault("Bug", 500, 500, "InternalServerError", why, request_id)


def _of_failure(failure: Failure, request_id: str, explain: Explain) -> Fault:
    kind = kind_of(failure)
    name = failure.name or kind.xrpc_name
    return Fault(
        kind=type(failure).__name__,
        http_status=kind.http_status,
        xrpc_status=400 if name in NAMES_ANSWERED_WITH_400 else kind.xrpc_status,
        name=name,
        why=explain(failure.why),
        request_id=request_id,
        field=failure.field if isinstance(failure, InvalidInput) else "",
        problems={name: explain(why) for name, why in failure.problems.items()}
        if isinstance(failure, InvalidForm)
        else {},
        headers=headers_of(failure),
        facts=_facts_of(failure),
        cause=str(failure.why),
    )


# Parameters of a reason that programs need in addition to the sentence: a time (ISO 8601), a number of seconds, a
# maximum.
_FACTS: Final[Mapping[str, type]] = {"until": str, "seconds": int, "most": int}


def _facts_of(failure: Failure) -> dict[str, object]:
    if isinstance(failure, InvalidForm):
        return failure.facts
    if failure.name is None or not isinstance(failure.why, Explanation):
        return {}
    params = failure.why.params
    return {name: params[name] for name, shape in _FACTS.items() if isinstance(params.get(name), shape)}


def headers_of(failure: Failure) -> dict[str, str]:
    """Return the headers of an error response: the failure's own, and Retry-After if known."""
    headers = dict(failure.headers)
    if isinstance(failure, TooMany | Unavailable) and failure.after_seconds is not None:
        headers["retry-after"] = str(max(1, -int(-failure.after_seconds // 1)))  # whole seconds, rounded up
    return headers


def form_status_of(failure: Failure) -> int:
    """Return the status of a page that shows a form again: 400, unless the request was too large or too frequent, or
    the server unavailable.
    """
    return kind_of(failure).http_status if isinstance(failure, TooLarge | TooMany | Unavailable) else 400


def render_problem(_connection: HTTPConnection, fault: Fault) -> Response:
    """Render RFC 9457 ``application/problem+json``, for our own JSON APIs. Fields have their JSON names; facts are
    extension members.
    """
    body: dict[str, object] = {
        "type": "about:blank",
        "title": fault.name,
        "status": fault.http_status,
        "detail": fault.why,
        "requestId": fault.request_id,
    }
    if fault.problems:
        body["fields"] = {json_name(name): why for name, why in fault.problems.items()}
    elif fault.field:
        body["fields"] = {json_name(fault.field): fault.why}
    body |= fault.facts
    headers = _with_challenge(fault, fault.http_status)
    return Response(msgspec.json.encode(body), fault.http_status, headers, "application/problem+json")


def render_xrpc(_connection: HTTPConnection, fault: Fault) -> Response:
    """Render ``{"error", "message"}``, as every AT Protocol client expects (HTTP API specification, "Error Responses")."""
    body = msgspec.json.encode({"error": fault.name, "message": fault.why})
    return Response(body, fault.xrpc_status, _with_challenge(fault, fault.xrpc_status), "application/json")


def _with_challenge(fault: Fault, status: int) -> dict[str, str]:
    """Return the fault's headers, with an authentication challenge for every 401 (RFC 9110, section 11.6.1)."""
    return {**({"www-authenticate": "Bearer"} if status == 401 else {}), **fault.headers}


def by_path(shapes: Mapping[str, Renderer], otherwise: Renderer) -> Renderer:
    """Return a renderer that chooses by the longest matching path prefix."""
    prefixes = sorted(shapes, key=len, reverse=True)

    def render(connection: HTTPConnection, fault: Fault) -> Response:
        path = connection.scope["path"]
        render_shape = next((shapes[prefix] for prefix in prefixes if path.startswith(prefix)), otherwise)
        return render_shape(connection, fault)

    return render
