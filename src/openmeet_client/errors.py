"""What can go wrong, as exceptions: the server's problem documents (RFC 9457), by their status, and the network."""

from collections.abc import Mapping

import msgspec


class OpenMeetError(Exception):
    """Anything that this client raises."""


class NoAnswer(OpenMeetError):  # named for the fact
    """The server could not be reached, or its answer was lost as often as it was tried."""


class Problem(OpenMeetError):  # RFC 9457's own word
    """The server said no. ``title`` is the kind of failure, ``fields`` maps what is wrong to sentences."""

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
    """400: what was sent cannot be read as what it should be; ``fields`` says where."""


class NotSignedIn(Problem):
    """401: the token is unknown, over or revoked."""


class Forbidden(Problem):
    """403: not this person's to do, or not this token's: its scope is missing."""


class NotFound(Problem):
    """404: it is not there, or not to be seen."""


class Gone(NotFound):
    """410: everybody could see it, and it was removed."""


class Conflict(Problem):
    """409: somebody was faster."""


class Changed(Problem):
    """412: it was changed since it was read; read it again."""


class Refused(Problem):
    """422: a rule says no, in a sentence."""


class TooManyRequests(Problem):
    """429: as often as it was tried."""


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
    """The exception for an answer; one that is no problem document says so."""
    kind = _BY_STATUS.get(status, Problem)
    try:
        said = msgspec.json.decode(body, type=_Document)
    except msgspec.MsgspecError:
        return kind(status, "NoProblemDocument", "The server's answer cannot be read.")
    return kind(status, said.title, said.detail, fields=said.fields, request_id=said.request_id)
