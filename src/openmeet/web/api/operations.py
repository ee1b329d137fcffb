"""One operation of the JSON API: its handler and its documentation in one value."""

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
    """A parameter of the query string or a header; path parameters follow from the path."""

    name: str
    what: str
    where: str = "query"
    shape: Any = str  # whatever msgspec takes for a type
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """An operation of the JSON API: route, handler and types, from which the OpenAPI document is made.

    ``body`` and the values of ``answers`` (by status code) are msgspec types; None means that there is no body.
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
    # Failures beyond those that every operation has.
    failures: tuple[int, ...] = field(default=())
    # A POST that only computes needs no idempotency.
    changes_nothing: bool = False
    # It calls other servers before it changes anything, so it cannot be one transaction; a repetition has no second
    # effect.
    is_idempotent: bool = False
    # Network calls after the commit; may change the response.
    afterwards: Callable[[Request, Response], Awaitable[Response]] | None = None
    # A missing body counts as an empty object.
    body_is_optional: bool = False
    # The body may also be a browser form.
    takes_forms: bool = False
    # It is written while it is read, so it has no tag that could be compared.
    is_streamed: bool = False
    # Of the answer. In ``text/event-stream`` the data of each event is what ``answers`` says.
    media_type: str = "application/json"
    # Media types of files that may be the body instead of JSON.
    takes_files: tuple[str, ...] = ()

    @property
    def takes_key(self) -> bool:
        """Whether it supports ``Idempotency-Key``."""
        return self.method != "GET" and self.needs_session and not (self.changes_nothing or self.is_idempotent)

    @property
    def area(self) -> str:
        """The first path segment behind ``/api/``."""
        return area_of(self.path)

    @property
    def scope(self) -> TokenScope | None:
        """The scope that a token needs; None: no token may call it."""
        return scope_of(self.name, self.method, self.path)
