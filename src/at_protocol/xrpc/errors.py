"""XRPC errors: JSON body, default names of HTTP statuses, tolerant parsing of other servers' errors.

A body is ``{"error": name, "message": text}``, where the name is a short ASCII constant. A client tolerates every other
body, because proxies in between send their own error pages (HTTP API specification, "Error Responses").
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

# Longer texts from other servers are cut, because they end up in logs and on pages.
MAX_MESSAGE: Final = 500
MAX_NAME: Final = 100

# Error name for a status if the body has none.
GENERIC_NAMES: Final = {
    400: "InvalidRequest",
    401: "AuthenticationRequired",
    403: "Forbidden",
    404: "XRPCNotSupported",
    406: "NotAcceptable",
    408: "RequestTimeout",
    413: "PayloadTooLarge",
    415: "UnsupportedMediaType",
    429: "RateLimitExceeded",
    500: "InternalServerError",
    501: "MethodNotImplemented",
    502: "UpstreamFailure",
    503: "NotEnoughResources",
    504: "UpstreamTimeout",
}


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An XRPC error. ``message`` is for people and can be empty."""

    name: str
    message: str = ""


class _Wire(msgspec.Struct, omit_defaults=True):
    error: str
    message: str = ""


def encode_error(error: ErrorBody) -> bytes:
    """Encode an error as the JSON body of a response."""
    return msgspec.json.encode(_Wire(error.name, error.message))


def read_error(status: int, body: bytes) -> ErrorBody:
    """Return the error in another server's response. Never raises, even for an invalid body."""
    try:
        wire = msgspec.json.decode(body, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ErrorBody(_generic_name(status), "")
    name = wire.error
    if not name or len(name) > MAX_NAME or not name.isascii() or not name.isprintable() or " " in name:
        name = _generic_name(status)
    return ErrorBody(name, _one_line(wire.message[:MAX_MESSAGE]))


def _one_line(text: str) -> str:
    # Line breaks, U+0000 and direction marks must not get into logs, databases and pages.
    return "".join(character if character.isprintable() else " " for character in text)


def _generic_name(status: int) -> str:
    if status in GENERIC_NAMES:
        return GENERIC_NAMES[status]
    return GENERIC_NAMES[400] if status < HTTPStatus.INTERNAL_SERVER_ERROR else GENERIC_NAMES[500]
