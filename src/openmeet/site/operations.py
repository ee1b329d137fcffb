"""One operation of the JSON API: what the server answers and what its documentation says, from the same value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query string or a header; path parameters follow from the path."""

    name: str
    what: str
    where: str = "query"
    shape: Any = str  # whatever msgspec takes for a type
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
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
