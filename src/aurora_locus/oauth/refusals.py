"""OAuth error responses, as JSON (RFC 6749 section 5.2, RFC 9449 section 5)."""

from collections.abc import Mapping

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response

from groundwork.errors import Failure, InvalidInput, NotSignedIn
from groundwork.http.faults import Fault

# OAuth names for generic failures. All other failures already have one.
_NAMES: Mapping[str, str] = {
    "InvalidRequest": "invalid_request",
    "MethodNotAllowed": "invalid_request",
    "UnsupportedMediaType": "invalid_request",
    "PayloadTooLarge": "invalid_request",
    "NotFound": "invalid_request",
    "RateLimitExceeded": "temporarily_unavailable",
    "NotEnoughResources": "temporarily_unavailable",
    "UpstreamFailure": "temporarily_unavailable",
    "UpstreamTimeout": "temporarily_unavailable",
    "InternalServerError": "server_error",
}


def invalid_request(why: str) -> InvalidInput:
    """``invalid_request``: a parameter is missing, repeated or wrong."""
    return InvalidInput("", why, name="invalid_request")


def invalid_scope(why: str) -> InvalidInput:
    """``invalid_scope``: the scopes cannot be requested."""
    return InvalidInput("scope", why, name="invalid_scope")


def invalid_grant() -> InvalidInput:
    """``invalid_grant``: the code or refresh token is not valid. Causes share a message, so guesses reveal nothing."""
    return InvalidInput("", "This code or token cannot be used (any more).", name="invalid_grant")


def invalid_client_metadata(why: str) -> InvalidInput:
    """``invalid_client_metadata``: the client's document cannot be fetched, or breaks a rule."""
    return InvalidInput("client_id", why, name="invalid_client_metadata")


def invalid_client(why: str) -> NotSignedIn:
    """``invalid_client``: the client failed to authenticate."""
    return NotSignedIn(why, name="invalid_client")


def invalid_proof(why: str) -> InvalidInput:
    """``invalid_dpop_proof``: the DPoP proof is missing or wrong."""
    return InvalidInput("DPoP", why, name="invalid_dpop_proof")


def use_nonce() -> InvalidInput:
    """``use_dpop_nonce``: the client has to repeat the request with the nonce in this response (RFC 9449 section 8)."""
    why = "The DPoP proof needs the nonce that is in the DPoP-Nonce header of this response."
    return InvalidInput("DPoP", why, name="use_dpop_nonce")


def other_error(name: str, why: str) -> Failure:
    """Another OAuth error, with status 400."""
    return InvalidInput("", why, name=name)


def render_oauth(_connection: HTTPConnection, fault: Fault) -> Response:
    """Return the body of an OAuth error, ``{"error", "error_description"}``, which is never cached."""
    name = _NAMES.get(fault.name, fault.name)
    # RFC 6749 section 5.2 allows only printable ASCII. The messages are ours, but they quote input.
    why = "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in fault.why)
    body = msgspec.json.encode({"error": name, "error_description": why})
    headers = {"cache-control": "no-store", **fault.headers}
    return Response(body, fault.http_status, headers, "application/json")
