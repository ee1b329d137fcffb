"""An app that requests authorization like a careful client, with keys, proofs and requests, and the person who answers.

The answer is given through the same actions as on the pages, which have tests of their own.
"""

import itertools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from at_protocol.crypto.jwk import to_jwk
from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.oauth import pkce
from at_protocol.oauth.client_assertion import ASSERTION_TYPE, make_assertion
from at_protocol.oauth.dpop import make_proof
from at_protocol.syntax.did import Did
from aurora_locus.oauth import authorization
from aurora_locus.oauth.model import AuthorizationRequest
from groundwork.clock import SECOND
from tests.aurora_locus.deployment import Deployment

NOTE = "org.example.note"
REDIRECT = "http://127.0.0.1/callback"
SCOPE = f"atproto repo:{NOTE} repo:org.example.other?action=create blob:image/* account:email rpc:org.example.ask?aud=*"
BROWSER = "browser of ana"

_numbers = itertools.count(1)


def fresh_key() -> P256PrivateKey:
    return P256PrivateKey.from_random(secrets.token_bytes(48))


def localhost_id(scope: str = SCOPE, redirect: str = REDIRECT) -> str:
    return "http://localhost?" + urlencode({"scope": scope, "redirect_uri": redirect})


@dataclass
class App:
    """One app and one server. ``assertion_key`` makes it a confidential client."""

    deployment: Deployment
    client_id: str = field(default_factory=localhost_id)
    key: P256PrivateKey = field(default_factory=fresh_key)
    assertion_key: P256PrivateKey | None = None
    key_id: str = "first"
    scope: str = SCOPE
    redirect: str = REDIRECT
    nonce: str | None = None
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def now_seconds(self) -> int:
        return self.deployment.clock.now() // SECOND

    def url(self, path: str) -> str:
        """The URL that the server uses for itself; in tests it listens on another."""
        return self.deployment.settings.url + path

    def proof(self, method: str, path: str, **changes: Any) -> str:
        wish: dict[str, Any] = {
            "method": method,
            "url": self.url(path),
            "token_id": f"proof {next(_numbers)}",
            "now_seconds": self.now_seconds,
            "nonce": self.nonce,
            **changes,
        }
        return make_proof(wish.pop("key", self.key), **wish)

    def assertion(self, **changes: Any) -> dict[str, str]:
        if self.assertion_key is None:
            return {}
        wish: dict[str, Any] = {
            "key_id": self.key_id,
            "client_id": self.client_id,
            "issuer": self.deployment.settings.url,
            "token_id": f"assertion {next(_numbers)}",
            "now_seconds": self.now_seconds,
            **changes,
        }
        text = make_assertion(wish.pop("key", self.assertion_key), **wish)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text}

    def wish(self, **changes: str | None) -> dict[str, str]:
        """The parameters of an authorization request; a change to None leaves one out."""
        parameters: dict[str, str | None] = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect,
            "scope": self.scope,
            "state": "state of the app",
            "code_challenge": pkce.challenge_of(self.verifier),
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    async def post(self, path: str, form: Mapping[str, str], *, proof: str | None = None) -> httpx.Response:
        """One request, with a new proof unless one is given; stores the newest nonce."""
        headers = {"dpop": self.proof("POST", path) if proof is None else proof}
        answer = await self.deployment.http.post(path, data=dict(form), headers=headers)
        self.nonce = answer.headers.get("dpop-nonce", self.nonce)
        return answer

    async def ask(self, path: str, form: Mapping[str, str]) -> httpx.Response:
        """Send a request like a client: repeat it with the nonce of the first response."""
        answer = await self.post(path, {**form, **self.assertion()})
        if answer.status_code == 400 and answer.json()["error"] == "use_dpop_nonce":
            answer = await self.post(path, {**form, **self.assertion()})
        return answer

    async def push(self, **changes: str | None) -> httpx.Response:
        return await self.ask("/oauth/par", self.wish(**changes))

    async def pushed(self, **changes: str | None) -> str:
        answer = await self.push(**changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["request_uri"])

    async def opened(self, request_uri: str, browser: str = BROWSER) -> AuthorizationRequest:
        server = self.deployment.pds.authorization
        async with self.deployment.db.transaction() as tx:
            return await authorization.open_request(server, tx, request_uri, self.client_id, browser)

    async def approved(
        self, request_uri: str, did: Did, scopes: tuple[str, ...] | None = None, browser: str = BROWSER
    ) -> dict[str, str]:
        """The parameters that the app's redirect URI gets when the person consents."""
        server = self.deployment.pds.authorization
        async with self.deployment.db.transaction() as tx:
            request = await authorization.open_request(server, tx, request_uri, self.client_id, browser)
            granted = request.scopes if scopes is None else scopes
            address = await authorization.approve(server, tx, request, did, granted, browser)
        parts = urlsplit(address)
        assert address.startswith(self.redirect)
        return dict(parse_qsl(parts.query or parts.fragment))

    async def code(self, did: Did, scopes: tuple[str, ...] | None = None, **changes: str | None) -> str:
        return (await self.approved(await self.pushed(**changes), did, scopes))["code"]

    async def spend(self, code: str, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect,
            "code_verifier": self.verifier,
            "client_id": self.client_id,
            **changes,
        }
        return await self.ask("/oauth/token", form)

    async def let_in(self, did: Did, scopes: tuple[str, ...] | None = None) -> "Tokens":
        """The whole flow."""
        self.verifier = secrets.token_urlsafe(48)
        answer = await self.spend(await self.code(did, scopes))
        assert answer.status_code == 200, answer.text
        return Tokens(**answer.json())

    async def refresh(self, token: str, **changes: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.client_id, **changes}
        return await self.ask("/oauth/token", form)

    async def revoke(self, token: str) -> httpx.Response:
        return await self.ask("/oauth/revoke", {"token": token, "client_id": self.client_id})

    async def call(
        self,
        nsid: str,
        token: str,
        body: Any = None,
        *,
        proof: Mapping[str, Any] | str | None = None,
        scheme: str = "DPoP",
        **options: Any,
    ) -> httpx.Response:
        """Call a method; POST if there is a body. ``proof`` changes claims of the proof or replaces it."""
        method = "GET" if body is None and "content" not in options else "POST"
        path = f"/xrpc/{nsid}"
        changes = proof if isinstance(proof, Mapping) else {}
        text = proof if isinstance(proof, str) else self.proof(method, path, **{"access_token": token, **changes})
        headers = {"authorization": f"{scheme} {token}", "dpop": text, **options.pop("headers", {})}
        answer = await self.deployment.http.request(method, path, json=body, headers=headers, **options)
        self.nonce = answer.headers.get("dpop-nonce", self.nonce)
        return answer


@dataclass(frozen=True)
class Tokens:
    """The response of the token endpoint."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    sub: str
    refresh_token: str = ""


def named(answer: httpx.Response) -> tuple[int, str]:
    """The status and error name of a refusal."""
    return answer.status_code, answer.json().get("error", "")


def document(client_id: str, keys: Mapping[str, P256PrivateKey], **changes: Any) -> dict[str, Any]:
    """The metadata of a confidential client with these keys."""
    jwks = {"keys": [{**to_jwk(key.public), "kid": name, "use": "sig"} for name, key in keys.items()]}
    return {
        "client_id": client_id,
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": SCOPE,
        "redirect_uris": ["http://127.0.0.1/callback"],
        "dpop_bound_access_tokens": True,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "jwks": jwks,
        "client_name": "Town Events",
        **changes,
    }
