"""Metadata of authorization servers and resource servers (RFC 8414, RFC 9728, atproto OAuth profile)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from at_protocol.failures import Malformed
from at_protocol.oauth import client_metadata, dpop, pkce
from at_protocol.oauth.permissions import ATPROTO, Transition

RESOURCE_PATH = "/.well-known/oauth-protected-resource"
SERVER_PATH = "/.well-known/oauth-authorization-server"
# Initiating User Registration via OpenID Connect, section 3.
PROMPTS = "prompt_values_supported"
# URL length that every browser and proxy accepts.
_MAX_ADDRESS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMetadata:
    """The endpoints of a server that a client needs."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    par_endpoint: str
    revocation_endpoint: str | None
    protected_resources: tuple[str, ...] | None
    prompts: tuple[str, ...] = ()


def describe_server(issuer: str, resource: str, *, languages: Sequence[str] = ("en",)) -> dict[str, object]:
    """Return the document at ``SERVER_PATH`` for a server whose endpoints are below ``/oauth/`` of its issuer.

    ``languages``: the language tags of its pages.
    """
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "scopes_supported": [ATPROTO, Transition.EMAIL.value, Transition.GENERIC.value, Transition.CHAT.value],
        "ui_locales_supported": list(languages),
        "subject_types_supported": ["public"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment"],
        "grant_types_supported": [client_metadata.AUTHORIZATION_CODE, client_metadata.REFRESH_TOKEN],
        "code_challenge_methods_supported": [pkce.METHOD],
        PROMPTS: ["none", "login", "consent", "select_account", "create"],
        "token_endpoint_auth_methods_supported": ["none", client_metadata.PRIVATE_KEY_JWT],
        "token_endpoint_auth_signing_alg_values_supported": list(client_metadata.ASSERTION_ALGORITHMS),
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "authorization_response_iss_parameter_supported": True,
        "require_pushed_authorization_requests": True,
        "client_id_metadata_document_supported": True,
        "require_request_uri_registration": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": True,
        "protected_resources": [resource],
    }


def describe_resource(resource: str, issuer: str) -> dict[str, object]:
    """Return the document at ``RESOURCE_PATH``."""
    return {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": [],
        "bearer_methods_supported": ["header"],
        "resource_documentation": "https://atproto.com",
    }


def parse_resource(document: object, origin: str, *, is_development: bool = False) -> str:
    """Return the authorization server of the resource at this origin. Raises Malformed."""
    if not isinstance(document, Mapping) or document.get("resource") != origin:
        raise _bad("resource", "is not the origin that the document was fetched from")
    servers = document.get("authorization_servers")
    if not isinstance(servers, list) or len(servers) != 1 or not isinstance(servers[0], str):
        raise _bad("authorization_servers", "must name exactly one server")
    return check_issuer(servers[0], is_development=is_development)


def parse_server(document: object, issuer: str, *, is_development: bool = False) -> ServerMetadata:
    """Parse the document fetched from ``issuer``. Raises Malformed if it does not conform to the profile."""
    if not isinstance(document, Mapping) or document.get("issuer") != issuer:
        raise _bad("issuer", "is not the origin that the document was fetched from")
    check_issuer(issuer, is_development=is_development)
    for field, value in (
        ("response_types_supported", "code"),
        ("grant_types_supported", client_metadata.AUTHORIZATION_CODE),
        ("grant_types_supported", client_metadata.REFRESH_TOKEN),
        ("code_challenge_methods_supported", pkce.METHOD),
        ("token_endpoint_auth_methods_supported", "none"),
        ("token_endpoint_auth_methods_supported", client_metadata.PRIVATE_KEY_JWT),
        ("token_endpoint_auth_signing_alg_values_supported", "ES256"),
        ("dpop_signing_alg_values_supported", "ES256"),
        ("scopes_supported", ATPROTO),
    ):
        if value not in _texts(document, field):
            raise _bad(field, f"must have {value}")
    for field in (
        "authorization_response_iss_parameter_supported",
        "require_pushed_authorization_requests",
        "client_id_metadata_document_supported",
    ):
        if document.get(field) is not True:
            raise _bad(field, "must be true")
    if document.get("require_request_uri_registration", True) is not True:
        raise _bad("require_request_uri_registration", "must be true if it is given")
    resources = document.get("protected_resources")
    return ServerMetadata(
        issuer=issuer,
        authorization_endpoint=_address(document, "authorization_endpoint"),
        token_endpoint=_address(document, "token_endpoint"),
        par_endpoint=_address(document, "pushed_authorization_request_endpoint"),
        revocation_endpoint=_address(document, "revocation_endpoint") if "revocation_endpoint" in document else None,
        protected_resources=None if resources is None else tuple(_texts(document, "protected_resources")),
        prompts=tuple(_texts(document, PROMPTS)) if PROMPTS in document else (),
    )


def check_issuer(text: str, *, is_development: bool = False) -> str:
    """Raise Malformed unless the issuer is an https origin and nothing more."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _bad("issuer", "is not an address") from error
    plain_is_fine = is_development and parts.scheme == "http"
    if (
        (parts.scheme != "https" and not plain_is_fine)
        or text != f"{parts.scheme}://{parts.netloc}"
        or not parts.hostname
    ):
        raise _bad("issuer", "is not an https origin without a path or trailing slash")
    if "@" in parts.netloc or parts.netloc != parts.netloc.lower() or port == (443 if parts.scheme == "https" else 80):
        raise _bad("issuer", "is not an origin in canonical form")
    return text


def _texts(document: Mapping[str, object], field: str) -> Sequence[str]:
    texts = document.get(field)
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise _bad(field, "is not a list of strings")
    return texts


def _address(document: Mapping[str, object], field: str) -> str:
    address = document.get(field)
    # Browsers are redirected to this URL, which is sent in a response header.
    if not isinstance(address, str) or len(address) > _MAX_ADDRESS:
        raise _bad(field, "is not an address")
    try:
        scheme = urlsplit(address).scheme
    except ValueError as error:
        raise _bad(field, "is not an address") from error
    if scheme not in ("https", "http"):
        raise _bad(field, "is not an address")
    return address


def _bad(field: str, why: str) -> Malformed:
    return Malformed("server metadata", field, f"{field} {why}")
