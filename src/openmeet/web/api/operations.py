"""An operation of the JSON API: its handler and its documentation in one value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidInput
from openmeet.domain.api_tokens.scopes import TokenScope, area_of, scope_of
from openmeet.domain.validation import GeneralReason
from openmeet.web.api.problem import ApiReason

# The media type of browser forms without files.
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter or a header. Path parameters are derived from the path."""

    name: str
    what: str
    where: str = "query"
    shape: Any = str  # any type that msgspec accepts
    is_required: bool = False

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that it can have. Empty if there are others."""
        if self.shape is bool:
            return "true", "false"
        if get_origin(self.shape) is Literal:
            return get_args(self.shape)
        return tuple(self.shape) if isinstance(self.shape, type) and issubclass(self.shape, Enum) else ()


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """An operation of the JSON API: route, handler and types. The OpenAPI document is generated from these.

    ``body`` and the values of ``answers`` (by status code) are msgspec types. None means no body.
    """

    method: str
    path: str
    name: str
    summary: str
    answer: Callable[[Request], Awaitable[Response]]
    answers: Mapping[int, Any]
    body: Any = None
    parameters: tuple[Parameter, ...] = ()
    needs_session: bool = True
    # Failures in addition to those that every operation can have.
    failures: tuple[int, ...] = field(default=())
    # For a POST that only computes something, and so needs no idempotency key.
    changes_nothing: bool = False
    # The operation calls other servers before it changes anything, so it cannot run as one transaction. Repeating it
    # has no further effect.
    is_idempotent: bool = False
    # Makes network calls after the commit. It can replace the response.
    afterwards: Callable[[Request, Response], Awaitable[Response]] | None = None
    # A missing body counts as an empty object.
    body_is_optional: bool = False
    # The body can also be a browser form.
    takes_forms: bool = False
    # The response is streamed, so there is no ETag to compare.
    is_streamed: bool = False
    # Media type of the response. For ``text/event-stream``, ``answers`` has the type of each event's data.
    media_type: str = "application/json"
    # Media types of a file that can be sent as the body instead of JSON.
    takes_files: tuple[str, ...] = ()

    @property
    def takes_key(self) -> bool:
        """Whether the operation supports ``Idempotency-Key``."""
        return self.method != "GET" and self.needs_session and not (self.changes_nothing or self.is_idempotent)

    @property
    def area(self) -> str:
        """The first path segment after ``/api/``."""
        return area_of(self.path)

    @property
    def scope(self) -> TokenScope | None:
        """The scope that a token needs. None means that no token can call the operation."""
        return scope_of(self.name, self.method, self.path)


def check_parameters(operation: ApiOperation, query_params: Mapping[str, str]) -> None:
    """Raise InvalidInput for a query parameter that the operation does not have, or a value that is none of its choices.
    An empty value counts as none.

    If a misspelt filter were ignored, the response would contain more than the caller asked for.
    """
    parameters = {one.name: one for one in operation.parameters if one.where == "query"}
    for name, value in query_params.items():
        if not parameters:
            raise InvalidInput("", ApiReason.TAKES_NO_PARAMETERS, parameter=name[:50])
        if name not in parameters:
            raise InvalidInput("", ApiReason.UNKNOWN_PARAMETER, parameter=name[:50], known=", ".join(parameters))
        choices = parameters[name].choices
        if value and choices and value not in choices:
            raise InvalidInput(name, GeneralReason.CHOOSE_ONE, choices=", ".join(choices))
