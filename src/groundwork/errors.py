"""Kinds of failure. The kind alone decides status, retry and what a person is shown.

Raise a kind where the fact is known; only an edge (HTTP, XRPC, worker, page) translates it, by ``KINDS``. Messages are
sentences for the person who caused them; they never contain secrets or other people's data.
"""

from collections.abc import Mapping
from dataclasses import dataclass


class Failure(Exception):
    """A failure with a kind.

    ``name`` overrides the protocol's error name where a Lexicon gives one; ``headers`` go on the HTTP response (a rate
    limit's state, an authentication challenge).
    """

    def __init__(self, why: str, *, name: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.name = name
        self.headers = dict(headers or {})


class InvalidInput(Failure):
    """What was sent cannot be read as what it should be; ``field`` says where (``""`` for the whole)."""

    def __init__(self, field: str, why: str, *, name: str | None = None) -> None:
        super().__init__(why, name=name)
        self.field = field


class InvalidForm(InvalidInput):
    """Several fields of one form are wrong at once; ``problems`` maps field name to sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        first = next(iter(problems))
        super().__init__(first, problems[first])
        self.problems = problems


class NotSignedIn(Failure):
    """Nobody is signed in, or the token cannot be used; ``name`` says which (``ExpiredToken`` …)."""


class Forbidden(Failure):
    """Signed in, but not allowed to do this."""


class NotFound(Failure):
    """There is no such thing, or the caller must not learn that there is."""


class Gone(NotFound):
    """A public thing that was deleted: no secret, unlike what is absent or hidden."""


class Conflict(Failure):
    """The thing changed since the caller last saw it."""


class PreconditionFailed(Conflict):
    """``If-Match`` named a version that is no longer the current one."""


class Refused(Failure):
    """A rule of the domain says no; ``name`` is the rule."""


class TooLarge(Failure):
    """More bytes or items than the limit, which the message names."""


class TooMany(Failure):
    """Too many requests; ``after_seconds`` says when to come back, ``headers`` tell a client the limit."""

    def __init__(
        self, why: str, *, after_seconds: float, name: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(why, name=name, headers=headers)
        self.after_seconds = after_seconds


class RemoteFailed(Failure):
    """Another server answered with a failure or an invalid response. ``status`` is its HTTP status where there was one."""

    def __init__(self, why: str, *, name: str | None = None, status: int | None = None) -> None:
        super().__init__(why, name=name)
        self.status = status


class RemoteSlow(Failure):
    """Another server did not answer in time; whether the request took effect is unknown."""


class Unavailable(Failure):
    """We cannot serve this at the moment (store or broker away); retry later, after ``after_seconds`` where that is
    known.
    """

    def __init__(
        self,
        why: str,
        *,
        after_seconds: float | None = None,
        name: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(why, name=name, headers=headers)
        self.after_seconds = after_seconds


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """How one kind of failure is answered: HTTP status, XRPC status and default error name, worker behaviour."""

    http_status: int
    xrpc_status: int
    xrpc_name: str
    worth_retrying: bool


# The one table: docs/errors.md is compared with it by a test. Looked up by walking the class's MRO, so a subclass
# inherits its parent's row unless it has its own.
KINDS: dict[type[Failure], ErrorKind] = {
    InvalidInput: ErrorKind(400, 400, "InvalidRequest", worth_retrying=False),
    NotSignedIn: ErrorKind(401, 401, "AuthenticationRequired", worth_retrying=False),
    Forbidden: ErrorKind(403, 403, "Forbidden", worth_retrying=False),
    NotFound: ErrorKind(404, 400, "NotFound", worth_retrying=False),
    Gone: ErrorKind(410, 400, "NotFound", worth_retrying=False),
    PreconditionFailed: ErrorKind(412, 400, "InvalidSwap", worth_retrying=True),
    Conflict: ErrorKind(409, 400, "InvalidSwap", worth_retrying=True),
    Refused: ErrorKind(422, 400, "InvalidRequest", worth_retrying=False),
    TooLarge: ErrorKind(413, 413, "PayloadTooLarge", worth_retrying=False),
    TooMany: ErrorKind(429, 429, "RateLimitExceeded", worth_retrying=True),
    RemoteFailed: ErrorKind(502, 502, "UpstreamFailure", worth_retrying=True),
    RemoteSlow: ErrorKind(504, 504, "UpstreamTimeout", worth_retrying=True),
    Unavailable: ErrorKind(503, 503, "NotEnoughResources", worth_retrying=True),
}

# Deployed clients refresh their session on a 400 with one of these names, not on a 401.
NAMES_ANSWERED_WITH_400 = frozenset({"ExpiredToken", "InvalidToken"})


def kind_of(failure: Failure) -> ErrorKind:
    """The row of ``KINDS`` for a failure."""
    for parent in type(failure).__mro__:
        kind = KINDS.get(parent)
        if kind is not None:
            return kind
    raise TypeError(f"{type(failure).__name__} has no row in KINDS")
