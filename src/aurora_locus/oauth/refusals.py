"""How the endpoints for apps say no: OAuth's own words, as JSON (RFC 6749 section 5.2, RFC 9449 section 5)."""

from collections.abc import Mapping

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response

from groundwork.errors import Failure, InvalidInput, NotSignedIn
from groundwork.http.faults import Fault

# What failures of all servers are called here; everything else has a name of OAuth's already.
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
    """The request lacks something, or says it twice or wrongly."""
    return InvalidInput("", why, name="invalid_request")


def invalid_scope(why: str) -> InvalidInput:
    """What is asked for cannot be asked for."""
    return InvalidInput("scope", why, name="invalid_scope")


def invalid_grant(why: str = "This code or token cannot be used (any more).") -> InvalidInput:
    """The code or refresh token is not good; one sentence for most reasons, so that guessing teaches nothing."""
    return InvalidInput("", why, name="invalid_grant")


def invalid_client_metadata(why: str) -> InvalidInput:
    """The client's document cannot be had, or breaks a rule."""
    return InvalidInput("client_id", why, name="invalid_client_metadata")


def unauthorized_client(why: str) -> InvalidInput:
    """The client is known and may not do this."""
    return InvalidInput("client_id", why, name="unauthorized_client")


def invalid_client(why: str) -> NotSignedIn:
    """The client has not shown that it is itself."""
    return NotSignedIn(why, name="invalid_client")


def invalid_proof(why: str) -> InvalidInput:
    """The DPoP proof is missing or wrong."""
    return InvalidInput("DPoP", why, name="invalid_dpop_proof")


def use_nonce() -> InvalidInput:
    """The proof must carry the nonce that this answer brings."""
    why = "The DPoP proof needs the nonce that is in the DPoP-Nonce header of this answer."
    return InvalidInput("DPoP", why, name="use_dpop_nonce")


def other(name: str, why: str) -> Failure:
    """A refusal under another of OAuth's names, with status 400."""
    return InvalidInput("", why, name=name)


def render_oauth(_connection: HTTPConnection, fault: Fault) -> Response:
    """``{"error", "error_description"}``; nothing here may be stored by a cache on its way."""
    name = _NAMES.get(fault.name, fault.name)
    # RFC 6749 5.2 allows a few characters of ASCII only; the sentences are ours, but they quote.
    why = "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in fault.why)
    body = msgspec.json.encode({"error": name, "error_description": why})
    headers = {"cache-control": "no-store", **fault.headers}
    return Response(body, fault.http_status, headers, "application/json")
