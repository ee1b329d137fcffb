"""Map another server's XRPC error to a failure type. The error name takes precedence over the status."""

from collections.abc import Mapping

from at_network.pacing import retry_after_seconds
from at_protocol.xrpc.errors import ErrorBody
from groundwork.clock import Instant
from groundwork.errors import (
    Conflict,
    Failure,
    FailureReason,
    Forbidden,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Refused,
    RemoteFailed,
    RemoteSlow,
    TooLarge,
    TooMany,
    with_stored_reason,
)

# XRPC servers answer 400 for these (HTTP API specification, "Error Responses"), so the status does not tell these cases
# apart.
_TOKEN_NAMES = frozenset(
    {
        "AuthMissing",
        "AuthenticationRequired",
        "AuthFactorTokenRequired",
        "ExpiredToken",
        "InvalidToken",
        "invalid_token",
    }
)
_ABSENT_NAMES = frozenset(
    {
        "AccountNotFound",
        "BlobNotFound",
        "BlockNotFound",
        "DidNotFound",
        "HandleNotFound",
        "HeadNotFound",
        "HostNotFound",
        "LexiconNotFound",
        "NotFound",
        "RecordNotFound",
        "RepoNotFound",
    }
)


def failure_of(host: str, status: int, error: ErrorBody, headers: Mapping[str, str], now: Instant) -> Failure:
    """Return the failure for an error response. It keeps the protocol's error name and the server's message."""
    words = error.message or error.name
    failure = _failure_of(f"{host} says: {words}", status, error.name, headers, now)
    return with_stored_reason(failure, FailureReason.SERVER_SAID(host=host, words=words))


def _failure_of(why: str, status: int, name: str, headers: Mapping[str, str], now: Instant) -> Failure:
    if status == 401 or (status < 500 and name in _TOKEN_NAMES):
        return NotSignedIn(why, name=name)
    if status in {400, 404} and name in _ABSENT_NAMES:
        return NotFound(why, name=name)
    match status:
        case 400 | 422:
            if name == "InvalidSwap":
                return Conflict(why, name=name)
            return InvalidInput("", why, name=name) if name == "InvalidRequest" else Refused(why, name=name)
        case 403:
            return Forbidden(why, name=name)
        case 404:
            return NotFound(why, name=name)
        case 409:
            return Conflict(why, name=name)
        case 413:
            return TooLarge(why, name=name)
        case 429:
            return TooMany(why, after_seconds=retry_after_seconds(headers, now), name=name)
        case 501:
            return Refused(why, name=name)  # the specification forbids repeating such a call
        case 504:
            return RemoteSlow(why, name=name)
        case _ if 400 <= status < 500:
            return Refused(why, name=name)
        case _:
            return RemoteFailed(why, name=name, status=status)
