"""An operation of the JSON API: its handler and its documentation in one value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from openmeet.domain.api_tokens.scopes import TokenScope, area_of, scope_of

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
