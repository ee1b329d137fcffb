"""Who a site of ours is to authorization servers: one client per origin, named by the address of its own document.

Source: OAuth Client ID Metadata Document (draft), atproto OAuth profile, "Clients". On https the client is confidential: it
signs with keys whose public halves it serves. On a laptop's loopback it is the one that the profile grants apps under
development, which has neither a document nor a key.
"""

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from at_protocol.oauth.client_metadata import AUTHORIZATION_CODE, PRIVATE_KEY_JWT, REFRESH_TOKEN
from openmeet.domain.identities.permissions import EVERY_SCOPE

DOCUMENT_PATH = "/client-metadata.json"
KEYS_PATH = "/jwks.json"
CALLBACK_PATH = "/sign-in/callback"

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """The client of one origin."""

    origin: str
    name: str
    is_confidential: bool

    @property
    def redirect_uri(self) -> str:
        return self.origin + CALLBACK_PATH

    @property
    def client_id(self) -> str:
        if self.is_confidential:
            return self.origin + DOCUMENT_PATH
        return "http://localhost?" + urlencode({"redirect_uri": self.redirect_uri, "scope": EVERY_SCOPE})

    def document(self) -> dict[str, object]:
        """What is served at ``DOCUMENT_PATH``. The scope is the most that may ever be asked for."""
        return {
            "client_id": self.client_id,
            "client_name": self.name,
            "client_uri": self.origin,
            "application_type": "web",
            "grant_types": [AUTHORIZATION_CODE, REFRESH_TOKEN],
            "response_types": ["code"],
            "redirect_uris": [self.redirect_uri],
            "scope": EVERY_SCOPE,
            "dpop_bound_access_tokens": True,
            "token_endpoint_auth_method": PRIVATE_KEY_JWT,
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks_uri": self.origin + KEYS_PATH,
        }


def app_of(public_url: str, name: str) -> OAuthApp | None:
    """The client of a site; None where the network knows no client of that kind (plain http that is not the loopback)."""
    parts = urlsplit(public_url)
    if parts.scheme == "https":
        return OAuthApp(public_url, name, is_confidential=True)
    return OAuthApp(public_url, name, is_confidential=False) if parts.hostname in _LOOPBACK else None
