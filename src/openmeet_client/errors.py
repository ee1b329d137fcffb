"""Exceptions: the server's problem documents (RFC 9457) by status, and network failures."""

from collections.abc import Mapping

import msgspec


class OpenMeetError(Exception):
    """Base class of everything this client raises."""


class NoAnswer(OpenMeetError):
    """The server could not be reached, or the response was lost on every attempt."""


class Problem(OpenMeetError):  # the term of RFC 9457
    """The server refused the request. ``title``: the kind of failure. ``fields``: a sentence for each invalid field."""

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
    """400: the input is invalid. ``fields`` says where."""


class NotSignedIn(Problem):
    """401: the token is unknown, expired or revoked."""


class Forbidden(Problem):
    """403: this person may not do that, or the token lacks the scope."""


class NotFound(Problem):
    """404: it does not exist or is not visible to the caller."""


class Gone(NotFound):
    """410: it was public and has been removed."""


class Conflict(Problem):
    """409: somebody else made a conflicting change at the same time."""


class Changed(Problem):
    """412: it has been changed since it was read. Read it again."""


class Refused(Problem):
    """422: a rule does not allow it. The message says why."""


class TooManyRequests(Problem):
    """429: too many requests, even after all retries."""


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
    """The exception for a failed response, whether or not it is a problem document."""
    kind = _BY_STATUS.get(status, Problem)
    try:
        problem = msgspec.json.decode(body, type=_Document)
    except msgspec.MsgspecError:
        return kind(status, "NoProblemDocument", "The server's answer cannot be read.")
    return kind(status, problem.title, problem.detail, fields=problem.fields, request_id=problem.request_id)
