"""Exceptions: the server's problem documents (RFC 9457), by their status, and network failures."""

from collections.abc import Mapping

import msgspec


class OpenMeetError(Exception):
    """Base class of everything this client raises."""


class NoAnswer(OpenMeetError):  # named for the fact
    """The server could not be reached, or every attempt lost its answer."""


class Problem(OpenMeetError):  # RFC 9457's own word
    """The server refused. ``title`` is the kind of failure, ``fields`` maps invalid fields to sentences."""

    def __init__(
        self, status: int, title: str, detail: str, *, fields: Mapping[str, str] | None = None, request_id: str = ""
    ) -> None:
        super().__init__(f"{detail} ({status} {title})")
        self.status = status
        self.title = title
        self.detail = detail
        self.fields = dict(fields or {})
        self.request_id = request_id


class Invalid(Problem):
    """400: the input is invalid; ``fields`` says where."""


class NotSignedIn(Problem):
    """401: the token is unknown, expired or revoked."""


class Forbidden(Problem):
    """403: not allowed for this person, or the token lacks the scope."""


class NotFound(Problem):
    """404: it does not exist, or is not visible."""


class Gone(NotFound):
    """410: it was public, and was removed."""


class Conflict(Problem):
    """409: a concurrent change won."""


class Changed(Problem):
    """412: it was changed since it was read; read it again."""


class Refused(Problem):
    """422: a rule refuses it, in a sentence."""


class TooManyRequests(Problem):
    """429: after every retry."""


_BY_STATUS: Mapping[int, type[Problem]] = {
    400: Invalid,
    401: NotSignedIn,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: Changed,
    422: Refused,
    429: TooManyRequests,
}


class _Document(msgspec.Struct, rename="camel"):
    title: str = ""
    detail: str = ""
    request_id: str = ""
    fields: dict[str, str] = {}


def problem_of(status: int, body: bytes) -> Problem:
    """The exception for an answer; also for one that is no problem document."""
    kind = _BY_STATUS.get(status, Problem)
    try:
        problem = msgspec.json.decode(body, type=_Document)
    except msgspec.MsgspecError:
        return kind(status, "NoProblemDocument", "The server's answer cannot be read.")
    return kind(status, problem.title, problem.detail, fields=problem.fields, request_id=problem.request_id)
