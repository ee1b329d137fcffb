"""Client metadata documents: an app's description of itself, validated before use.

Source: OAuth Client ID Metadata Document (draft), RFC 7591 section 2, atproto OAuth specification, "Client Metadata".
Unknown members are ignored. Names, logos and links are the app's own claims. Show them only for clients that the
operator trusts; for others show only the ``client_id``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from at_protocol.failures import Malformed
from at_protocol.oauth.client_id import MAX_LENGTH, ClientId, is_localhost, localhost_parameters, split_address
from at_protocol.oauth.jwks import ClientKey, parse_jwks
from at_protocol.oauth.permissions import ATPROTO
from at_protocol.oauth.redirects import check_declared
from at_protocol.oauth.scope_text import split_scopes

PRIVATE_KEY_JWT: Final = "private_key_jwt"
ASSERTION_ALGORITHMS: Final = ("ES256", "ES256K")

AUTHORIZATION_CODE: Final = "authorization_code"
REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105 - the name of a grant type

MAX_REDIRECTS: Final = 100
# A person is asked about each requested scope. Large apps declare a few dozen.
MAX_SCOPES: Final = 500
# A longer name is cut. It is shown as one line.
_MAX_NAME: Final = 200

AuthMethod = Literal["none", "private_key_jwt"]

_LOCALHOST_REDIRECTS: Final = ("http://127.0.0.1/", "http://[::1]/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMetadata:
    """A client as described by its document. ``keys`` is empty if the client uses ``jwks_uri`` or does not
    authenticate.
    """

    client_id: ClientId
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    grant_types: tuple[str, ...]
    auth_method: AuthMethod
    signing_algorithm: str | None = None
    keys: Mapping[str, ClientKey] | None = None
    jwks_uri: str | None = None
    name: str | None = None
    uri: str | None = None
    logo_uri: str | None = None
    tos_uri: str | None = None
    policy_uri: str | None = None

    @property
    def is_confidential(self) -> bool:
        """Whether the client authenticates with its own key."""
        return self.auth_method == PRIVATE_KEY_JWT

    @property
    def may_refresh(self) -> bool:
        return REFRESH_TOKEN in self.grant_types


def parse_client_metadata(document: object, client_id: ClientId, *, is_development: bool = False) -> ClientMetadata:
    """Parse the document fetched from the ``client_id``. Raises Malformed (kind ``client metadata``)."""
    if not isinstance(document, Mapping):
        raise _bad("the document", "is not a JSON object")
    if document.get("client_id") != client_id:
        raise _bad("client_id", "is not the URL that the document was fetched from")
    if document.get("dpop_bound_access_tokens") is not True:
        raise _bad("dpop_bound_access_tokens", "must be true")
    is_native = _application_type(document) == "native"
    redirects = _texts(document, "redirect_uris")
    if not 0 < len(redirects) <= MAX_REDIRECTS:
        raise _bad("redirect_uris", f"must have 1 to {MAX_REDIRECTS} entries")
    grant_types = _unique(document, "grant_types", [AUTHORIZATION_CODE])
    if AUTHORIZATION_CODE not in grant_types or "implicit" in grant_types:
        raise _bad("grant_types", "must include authorization_code and not implicit")
    if "code" not in _unique(document, "response_types", ["code"]):
        raise _bad("response_types", "must have code")
    method, algorithm, keys, jwks_uri = _authentication(document, is_native=is_native, is_development=is_development)
    return ClientMetadata(
        client_id=client_id,
        redirect_uris=tuple(
            check_declared(each, client_id, is_native=is_native, is_development=is_development) for each in redirects
        ),
        scopes=_scopes(document.get("scope")),
        grant_types=tuple(grant_types),
        auth_method=method,
        signing_algorithm=algorithm,
        keys=keys,
        jwks_uri=jwks_uri,
        **_name_and_links(document, client_id),
    )


def localhost_client(client_id: ClientId) -> ClientMetadata:
    """Return the implied metadata of an app in development. Raises Malformed."""
    if not is_localhost(client_id):
        raise _bad("client_id", "is not a localhost client")
    redirects, scope = localhost_parameters(client_id)
    return ClientMetadata(
        client_id=client_id,
        redirect_uris=tuple(
            check_declared(each, client_id, is_native=True, is_development=False)
            for each in redirects or _LOCALHOST_REDIRECTS
        ),
        scopes=_scopes(ATPROTO if scope is None else scope),
        grant_types=(AUTHORIZATION_CODE, REFRESH_TOKEN),
        auth_method="none",
    )


def _authentication(
    document: Mapping[str, object], *, is_native: bool, is_development: bool
) -> tuple[AuthMethod, str | None, Mapping[str, ClientKey] | None, str | None]:
    algorithm = document.get("token_endpoint_auth_signing_alg")
    match document.get("token_endpoint_auth_method"):
        case "none":
            if algorithm is not None:
                raise _bad("token_endpoint_auth_signing_alg", "is only allowed with private_key_jwt")
            return "none", None, None, None
        case "private_key_jwt":
            pass
        case _:
            raise _bad("token_endpoint_auth_method", "must be none or private_key_jwt")
    if is_native:
        raise _bad("token_endpoint_auth_method", "must be none, because a native client cannot keep a secret")
    if algorithm not in ASSERTION_ALGORITHMS:
        raise _bad("token_endpoint_auth_signing_alg", f"must be one of {', '.join(ASSERTION_ALGORITHMS)}")
    jwks, jwks_uri = document.get("jwks"), document.get("jwks_uri")
    if (jwks is None) == (jwks_uri is None):
        raise _bad("jwks", "or jwks_uri must be given, but not both")
    if jwks is not None:
        keys = parse_jwks(jwks)
        if not keys:
            raise _bad("jwks", "has no key with a kid that can be used here")
        return "private_key_jwt", str(algorithm), keys, None
    if not isinstance(jwks_uri, str):
        raise _bad("jwks_uri", "is not text")
    if split_address("client metadata", jwks_uri).scheme != "https" and not is_development:
        raise _bad("jwks_uri", "is not https")
    return "private_key_jwt", str(algorithm), None, jwks_uri


def _name_and_links(document: Mapping[str, object], client_id: ClientId) -> dict[str, str | None]:
    """Return the display name and links. Raises Malformed for an invalid link."""
    name = document.get("client_name")
    fields: dict[str, str | None] = {"name": name.strip()[:_MAX_NAME] or None if isinstance(name, str) else None}
    uri = document.get("client_uri")
    if uri is not None:
        parts = _link_parts("client_uri", uri)
        if parts.hostname != urlsplit(client_id).hostname:
            raise _bad("client_uri", "has another host than client_id")
    fields["uri"] = None if uri is None else str(uri)
    for field in ("logo_uri", "tos_uri", "policy_uri"):
        link = document.get(field)
        if link is not None and _link_parts(field, link).scheme != "https":
            raise _bad(field, "is not https")
        fields[field] = None if link is None else str(link)
    return fields


def _link_parts(field: str, link: object) -> SplitResult:
    text = str(link)
    if len(text) > MAX_LENGTH:
        raise _bad(field, f"has more than {MAX_LENGTH} characters")
    return split_address("client metadata", text)


def _application_type(document: Mapping[str, object]) -> str:
    application_type = document.get("application_type", "web")
    if application_type not in ("web", "native"):
        raise _bad("application_type", "must be web or native")
    return str(application_type)


def _scopes(text: object) -> tuple[str, ...]:
    if not isinstance(text, str):
        raise _bad("scope", "must be text")
    if text.count(" ") >= MAX_SCOPES:
        raise _bad("scope", f"has more than {MAX_SCOPES} scopes")
    scopes = split_scopes(text)
    if len(scopes) != text.count(" ") + 1:
        raise _bad("scope", "names a scope twice")
    if ATPROTO not in scopes:
        raise _bad("scope", "must have atproto")
    return tuple(scopes)


def _unique(document: Mapping[str, object], field: str, default: list[str]) -> list[str]:
    entries = _texts(document, field) if field in document else default
    if len(set(entries)) != len(entries):
        raise _bad(field, "contains a duplicate")
    return entries


def _texts(document: Mapping[str, object], field: str) -> list[str]:
    texts = document.get(field)
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise _bad(field, "is not a list of strings")
    return texts


def _bad(field: str, why: str) -> Malformed:
    return Malformed("client metadata", field, f"{field} {why}")
