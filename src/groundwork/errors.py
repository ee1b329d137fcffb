"""Types of failure. The type alone decides the status, whether to retry, and which message a person sees.

Raise a failure where the problem is known. Only an edge (HTTP, XRPC, worker, page) translates it, using ``KINDS``. The
explanation is a ``Reason`` with parameters if the program has a catalogue of messages, and otherwise an English
sentence. Neither contains secrets or other people's data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, TypeVar

import msgspec


class Reason(StrEnum):
    """Base of reason codes. Each package has one enum of them, with values such as ``event.full``.

    The values are stored, and a few are sent to clients (``lastError`` of a chat on Matrix). So they must not change even
    if the sentence does, except by a migration.
    """

    def __call__(self, **params: object) -> "Explanation":
        """Return the reason with parameters."""
        return Explanation(self.value, params)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason code and the parameters of its sentence. The edge translates it into the reader's language."""

    code: str
    params: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """Format for logs: ``event.full places=3``."""
        return " ".join([self.code, *(f"{name}={value}" for name, value in self.params.items())])


# Why something failed: a reason, or a sentence if there is no catalogue.
Why = str | Explanation


def explanation(why: Why) -> Why:
    """Return a reason as an explanation without parameters, and anything else unchanged."""
    return Explanation(why.value) if isinstance(why, Reason) else why


def encode_explanation(why: Explanation | Reason | None) -> str:
    """Return the form stored in the database: JSON of code and parameters, empty for None. Sentences are not stored."""
    if why is None:
        return ""
    plain = Explanation(why.value) if isinstance(why, Reason) else why
    return msgspec.json.encode(_members(plain)).decode()


def decode_explanation(text: str) -> Explanation | None:
    """Parse the text that ``encode_explanation`` returned."""
    return _of_members(msgspec.json.decode(text)) if text else None


def read_explanation(text: str) -> Explanation | None:
    """Parse a stored reason where a process of an earlier release, or another program, may have put a sentence."""
    try:
        return decode_explanation(text)
    except (msgspec.DecodeError, TypeError, KeyError, AttributeError):
        return FailureReason.EARLIER_TEXT(text=text)


def _members(why: Explanation) -> dict[str, object]:
    return {"code": why.code, "params": {name: _plain(value) for name, value in why.params.items()}}


def _plain(value: object) -> object:
    match value:
        case Explanation():
            return _members(value)
        case Reason():
            return _members(Explanation(value.value))
        case tuple() | list():
            return [_plain(one) for one in value]
        case bool() | int() | float():
            return value
        case _:
            return str(value)


def _of_members(members: Any) -> Explanation:
    return Explanation(members["code"], {name: _of_plain(value) for name, value in members["params"].items()})


def _of_plain(value: Any) -> object:
    match value:
        case {"code": str()}:
            return _of_members(value)
        case list():
            return tuple(map(_of_plain, value))
        case _:
            return value


class Failure(Exception):
    """Base class of failures.

    ``params`` are the parameters of a reason. ``name`` overrides the protocol's error name if a Lexicon defines one.
    ``headers`` are added to the HTTP response (rate limit state, an authentication challenge).

    ``stored_reason`` is set if ``why`` is a sentence that must not be stored; it is the code to store instead.
    """

    def __init__(
        self, why: Why, *, name: str | None = None, headers: Mapping[str, str] | None = None, **params: object
    ) -> None:
        self.why: Why = Explanation(why.value, params) if isinstance(why, Reason) else why
        super().__init__(str(self.why))
        self.name = name
        self.headers = dict(headers or {})
        self.stored_reason: Explanation | None = None

    @property
    def quoted(self) -> Why:
        """The explanation for use inside another sentence: the reason, which is in the reader's language, or else
        ``why``.
        """
        return self.stored_reason or self.why


class InvalidInput(Failure):
    """The input cannot be parsed or is not valid. ``field`` is the field in question (``""`` for the whole input)."""

    def __init__(self, field: str, why: Why, *, name: str | None = None, **params: object) -> None:
        super().__init__(why, name=name, headers=None, **params)
        self.field = field


class InvalidForm(InvalidInput):
    """Several fields of one form are wrong. ``problems`` maps the name of each field to the explanation.

    ``facts``: further members of the problem document, for programs.
    """

    def __init__(self, problems: Mapping[str, Why], *, facts: Mapping[str, object] | None = None) -> None:
        first = next(iter(problems))
        super().__init__(first, problems[first])
        self.problems = {name: explanation(why) for name, why in problems.items()}
        self.facts = dict(facts or {})


class NotSignedIn(Failure):
    """Nobody is signed in, or the token cannot be used. ``name`` is the reason (``ExpiredToken`` …)."""


class Forbidden(Failure):
    """The caller is signed in but is not allowed to do this."""


class NotFound(Failure):
    """The thing does not exist, or the caller must not learn that it exists."""


class Gone(NotFound):
    """A public thing was deleted. Unlike for absent or hidden things, this is not a secret."""


class Conflict(Failure):
    """The thing has changed since the caller last saw it."""


class PreconditionFailed(Conflict):
    """``If-Match`` named a version that is no longer current."""


class Refused(Failure):
    """A rule of the domain does not allow this. ``name`` is the rule."""


class TooLarge(Failure):
    """More bytes or items than the limit, which the message states."""


class TooMany(Failure):
    """Too many requests. ``after_seconds`` is when to retry; ``headers`` tell a client the limit."""

    def __init__(
        self,
        why: Why,
        *,
        after_seconds: float,
        name: str | None = None,
        headers: dict[str, str] | None = None,
        **params: object,
    ) -> None:
        super().__init__(why, name=name, headers=headers, **params)
        self.after_seconds = after_seconds


class RemoteFailed(Failure):
    """Another server returned an error or an invalid response. ``status`` is its HTTP status, if there was one."""

    def __init__(self, why: Why, *, name: str | None = None, status: int | None = None, **params: object) -> None:
        super().__init__(why, name=name, headers=None, **params)
        self.status = status


class RemoteSlow(Failure):
    """Another server did not answer in time. It is unknown whether the request took effect, except after
    ``NoConnectionFree``.
    """


class Unavailable(Failure):
    """The server cannot do this at the moment, for example because a store or broker is down. Retry after
    ``after_seconds``, if known.

    ``is_outage``: another program failed, so where that was noticed tells an operator nothing.
    """

    is_outage: ClassVar[bool] = False

    def __init__(
        self,
        why: Why,
        *,
        after_seconds: float | None = None,
        name: str | None = None,
        headers: dict[str, str] | None = None,
        **params: object,
    ) -> None:
        super().__init__(why, name=name, headers=headers, **params)
        self.after_seconds = after_seconds


class CircuitOpen(Unavailable):
    """Another server was not called, because it keeps failing. ``after_seconds`` is when to retry."""


class NoConnectionFree(RemoteSlow):
    """Another server was not called, because it, or others in the same place, use all the connections that they may
    have.
    """


# The request was not sent, so it did not take effect, and the server is not to blame.
NOT_CALLED: Final = (CircuitOpen, NoConnectionFree)


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """How one type of failure is handled: HTTP status, XRPC status and default error name, worker behaviour."""

    http_status: int
    xrpc_status: int
    xrpc_name: str
    worth_retrying: bool


# A test compares docs/errors.md with this table. It is looked up along the class's MRO, so a subclass inherits its
# parent's row unless it has its own.
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

# Deployed clients refresh their session on a 400 with one of these names, but not on a 401.
NAMES_ANSWERED_WITH_400 = frozenset({"ExpiredToken", "InvalidToken"})


def kind_of(failure: Failure) -> ErrorKind:
    """Return the row of ``KINDS`` for a failure."""
    for parent in type(failure).__mro__:
        kind = KINDS.get(parent)
        if kind is not None:
            return kind
    raise TypeError(f"{type(failure).__name__} has no row in KINDS")


class FailureReason(Reason):
    """Codes stored for failures that have a sentence and no reason. The sentence itself is only in the log."""

    INVALID_INPUT = "failure.invalid_input"
    NOT_SIGNED_IN = "failure.not_signed_in"
    FORBIDDEN = "failure.forbidden"
    NOT_FOUND = "failure.not_found"
    CONFLICT = "failure.conflict"
    REFUSED = "failure.refused"
    TOO_LARGE = "failure.too_large"
    TOO_MANY = "failure.too_many"
    REMOTE_FAILED = "failure.remote_failed"
    REMOTE_SLOW = "failure.remote_slow"
    NOT_ASKED = "failure.not_asked"
    UNAVAILABLE = "failure.unavailable"
    SERVER_SAID = "failure.server_said"
    ANSWERED_WITH_STATUS = "failure.answered_with_status"
    ANSWER_TOO_LONG = "failure.answer_too_long"
    NO_ANSWER_IN_TIME = "failure.no_answer_in_time"
    NOT_PUBLIC = "failure.not_public"
    CONNECTION_BROKEN = "failure.connection_broken"
    UNREACHABLE = "failure.unreachable"
    UNREADABLE_ANSWER = "failure.unreadable_answer"
    STREAM_BROKEN = "failure.stream_broken"
    STREAM_UNREADABLE = "failure.stream_unreadable"
    STREAM_MESSAGE_TOO_LONG = "failure.stream_message_too_long"
    EARLIER_TEXT = "failure.earlier_text"
    """A sentence that an earlier release, or another program, stored in place of a code."""
    UNFORESEEN = "failure.unforeseen"


_REASON_OF_KIND: dict[type[Exception], FailureReason] = {
    InvalidInput: FailureReason.INVALID_INPUT,
    NotSignedIn: FailureReason.NOT_SIGNED_IN,
    Forbidden: FailureReason.FORBIDDEN,
    NotFound: FailureReason.NOT_FOUND,
    Conflict: FailureReason.CONFLICT,
    Refused: FailureReason.REFUSED,
    TooLarge: FailureReason.TOO_LARGE,
    TooMany: FailureReason.TOO_MANY,
    RemoteFailed: FailureReason.REMOTE_FAILED,
    RemoteSlow: FailureReason.REMOTE_SLOW,
    CircuitOpen: FailureReason.NOT_ASKED,
    Unavailable: FailureReason.UNAVAILABLE,
}


F = TypeVar("F", bound=Failure)


def with_stored_reason(failure: F, reason: Explanation) -> F:
    """Return the failure with the reason to store instead of its sentence."""
    failure.stored_reason = reason
    return failure


def reason_of(raised: Exception) -> Explanation:
    """Return the reason to store for an exception: its own reason, or the code of its type.

    The text of an exception that is not a Failure is never stored. It belongs in the log, and its class name is enough
    to find it there.
    """
    if isinstance(raised, Failure):
        if isinstance(raised.why, Explanation):
            return raised.why
        if raised.stored_reason is not None:
            return raised.stored_reason
    for parent in type(raised).__mro__:
        if parent in _REASON_OF_KIND:
            return _REASON_OF_KIND[parent]()
    return FailureReason.UNFORESEEN(error=type(raised).__name__)
