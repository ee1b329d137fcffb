"""The OpenAPI 3.1 document, made from the operations that the server really has and the types that it really uses."""

import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from openmeet.site.operations import Operation

_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_REFERENCES = "#/components/schemas/{name}"

# What any operation may answer beside its own answers.
_ALWAYS = (400, 500, 503)


class Problem(msgspec.Struct):
    """RFC 9457. ``fields`` maps the fields that are wrong to sentences."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    fields: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


def document(site_name: str, public_url: str, operations: Sequence[Operation]) -> dict[str, Any]:
    """The document as a JSON value."""
    shapes = [Problem, *(shape for one in operations for shape in _shapes(one))]
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCES)
    schema_of = dict(zip(map(_key, shapes), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{site_name} API",
            "version": "1",
            "description": "Instants are RFC 3339 in UTC; `starts_local` is a wall-clock time in `time_zone`. "
            "Failures are `application/problem+json`.",
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"session": {"type": "http", "scheme": "bearer"}},
        },
    }


def serve(site_name: str, public_url: str, operations: Sequence[Operation]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint; the document is made once."""
    body = msgspec.json.encode(document(site_name, public_url, operations))

    async def answer(_request: Request) -> Response:
        return Response(body, media_type="application/vnd.oai.openapi+json;version=3.1")

    return answer


def _shapes(one: Operation) -> list[Any]:
    found = [shape for shape in (one.body, *one.answers.values()) if shape is not None]
    return [*found, *(parameter.shape for parameter in one.parameters)]


def _key(shape: Any) -> str:
    return repr(shape)


def _operation(one: Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, shape in one.answers.items():
        responses[str(status)] = {"description": HTTPStatus(status).phrase}
        if shape is not None:
            responses[str(status)]["content"] = {"application/json": {"schema": schema_of[_key(shape)]}}
    failures = {*_ALWAYS, *one.failures, *((401,) if one.needs_session else ())}
    for status in sorted(failures):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": schema_of[_key(Problem)]}},
        }
    found: dict[str, Any] = {"operationId": one.name, "summary": one.summary, "responses": responses}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(one.path)
    ] + [
        {"name": each.name, "in": each.where, "description": each.what, "schema": schema_of[_key(each.shape)]}
        for each in one.parameters
    ]
    if parameters:
        found["parameters"] = parameters
    if one.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[_key(one.body)]}},
        }
    # An empty requirement beside the session's says that a session is possible, not needed.
    found["security"] = [{"session": []}] if one.needs_session else [{}, {"session": []}]
    return found
