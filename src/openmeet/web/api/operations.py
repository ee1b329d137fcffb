"""One operation of the JSON API: what the server answers and what its documentation says, from the same value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from openmeet.domain.api_tokens.scopes import TokenScope, area_of, scope_of

# How a browser sends a form without files.
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
    """``body`` and the values of ``answers`` are msgspec types; None means that there is no body."""

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
    # A POST that only computes: there is nothing to repeat.
    changes_nothing: bool = False
    # It asks other servers before it changes anything, so that it cannot be one transaction; the same again has no second effect.
    is_idempotent: bool = False
    # What goes over the network on account of it, once the effect is durable; may answer otherwise than the effect did.
    afterwards: Callable[[Request, Response], Awaitable[Response]] | None = None
    # No body is one without fields.
    body_is_optional: bool = False
    # The body may also come as a browser's form sends it.
    takes_forms: bool = False
    # Media types of files that may be the body as they are, instead of JSON.
    takes_files: tuple[str, ...] = ()

    @property
    def takes_key(self) -> bool:
        """Whether a request that is sent twice with one ``Idempotency-Key`` is carried out once."""
        return self.method != "GET" and self.needs_session and not (self.changes_nothing or self.is_idempotent)

    @property
    def area(self) -> str:
        """The first word of its address behind ``/api/``."""
        return area_of(self.path)

    @property
    def scope(self) -> TokenScope | None:
        """What a token needs for it; None: no token may."""
        return scope_of(self.name, self.method, self.path)
