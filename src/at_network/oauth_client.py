"""OAuth client: push an authorization request, exchange a code, refresh and revoke tokens, with one attempt each.

Source: RFC 9126 (PAR), RFC 6749 sections 4.1.3 and 6, RFC 7009, with a DPoP proof (RFC 9449) on every request and, for
clients with a key, an assertion (RFC 7523). A request is repeated only if the server rejected it for a missing nonce:
in that case the server did nothing, and the client signs a new proof and assertion. If the response to a refresh is
lost, it is unknown whether the server got the request, so this client never repeats a refresh.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from cachetools import LRUCache

from at_network.circuits import Circuits
from at_network.pacing import retry_after_seconds
from at_protocol.crypto.did_key import PrivateKey, format_multikey
from at_protocol.failures import Malformed
from at_protocol.oauth.client_assertion import ASSERTION_TYPE, make_assertion
from at_protocol.oauth.dpop import make_proof
from at_protocol.oauth.permissions import ATPROTO
from at_protocol.oauth.server_metadata import ServerMetadata
from at_protocol.syntax.did import Did, parse_did
from at_protocol.xrpc.errors import read_error
from groundwork.clock import SECOND, Clock
from groundwork.errors import Failure, NotSignedIn, Refused, RemoteFailed, TooMany
from groundwork.http.client import HttpClient, HttpResponse
from groundwork.threads import compute

USE_NONCE = "use_dpop_nonce"
INVALID_GRANT = "invalid_grant"

# A person's browser waits for a sign-in, and a refresh holds a lease. Neither waits longer than this.
_TIMEOUT_SECONDS = 10.0
_MAX_ORIGINS = 10_000
_MAX_NONCE_LENGTH = 1_024
_MAX_TOKEN_LENGTH = 16_384
# The request URI becomes part of the URL that a browser is redirected to.
_MAX_REQUEST_URI_LENGTH = 2_000
_TOKEN_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class OAuthClientIdentity:
    """Our client id and, for a confidential client, the key that authenticates it."""

    client_id: str
    key_id: str = ""
    key: PrivateKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens of a session. They are secret and left out of the repr. ``expires_in_seconds`` is for the access token, if
    stated.
    """

    did: Did
    scope: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_in_seconds: int | None


class ServerNonces:
    """The newest DPoP nonce of each server.

    Nonces are not secret, and servers accept some older ones, so races are harmless.
    """

    def __init__(self) -> None:
        self._newest: LRUCache[str, str] = LRUCache(_MAX_ORIGINS)

    def newest(self, url: str) -> str | None:
        return self._newest.get(_origin(url))

    def store_nonce(self, url: str, headers: Mapping[str, str]) -> None:
        """Store the nonce that came with a response, unless it is so long that ten thousand would not fit into memory."""
        nonce = headers.get("dpop-nonce")
        if nonce and len(nonce) <= _MAX_NONCE_LENGTH:
            self._newest[_origin(url)] = nonce


@dataclass(frozen=True, slots=True)
class OAuthCalls:
    """Calls authorization servers on behalf of one client.

    ``circuits`` are circuit breakers. A refresh is not sent on an open circuit, but calls that a person waits for are.
    The outcome of every call is recorded.
    """

    http: HttpClient
    clock: Clock
    nonces: ServerNonces
    circuits: Circuits | None = None

    async def push(
        self, server: ServerMetadata, client: OAuthClientIdentity, key: PrivateKey, parameters: Mapping[str, str]
    ) -> str:
        """Push an authorization request. Returns the ``request_uri`` to send a browser with."""
        response = await self._post(server, server.par_endpoint, client, key, parameters)
        request_uri = response.get("request_uri")
        if not isinstance(request_uri, str) or not 0 < len(request_uri) <= _MAX_REQUEST_URI_LENGTH:
            raise RemoteFailed(f"{_host(server)} did not accept the request.")
        return request_uri

    async def exchange(
        self,
        server: ServerMetadata,
        client: OAuthClientIdentity,
        key: PrivateKey,
        *,
        code: str,
        verifier: str,
        redirect_uri: str,
    ) -> Tokens:
        """Exchange a code for tokens."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        return _tokens(server, await self._post(server, server.token_endpoint, client, key, form))

    async def refresh(
        self, server: ServerMetadata, client: OAuthClientIdentity, key: PrivateKey, refresh: str
    ) -> Tokens:
        """Get new tokens. This consumes the refresh token.

        Raises NotSignedIn (``invalid_grant``) if the session is over, and CircuitOpen on an open circuit, in which case
        nothing was consumed.
        """
        if self.circuits is not None:
            self.circuits.check(server.issuer)
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        return _tokens(server, await self._post(server, server.token_endpoint, client, key, form))

    async def revoke(self, server: ServerMetadata, client: OAuthClientIdentity, key: PrivateKey, token: str) -> None:
        """End the session of a token. If the server has no revocation endpoint, the token is left to expire."""
        if server.revocation_endpoint is not None:
            await self._post(server, server.revocation_endpoint, client, key, {"token": token})

    async def _post(
        self, server: ServerMetadata, url: str, client: OAuthClientIdentity, key: PrivateKey, form: Mapping[str, str]
    ) -> Mapping[str, object]:
        try:
            response = await self._answered(server, url, client, key, form)
        except Failure as failure:
            self._note(server, key, failure)
            raise
        self._note(server, key, None)
        return await compute(len(response.body), _members, response)

    async def _answered(
        self, server: ServerMetadata, url: str, client: OAuthClientIdentity, key: PrivateKey, form: Mapping[str, str]
    ) -> HttpResponse:
        is_second = False
        while True:
            nonce = self.nonces.newest(url)
            response = await self.http.request(
                "POST",
                url,
                headers={
                    "content-type": "application/x-www-form-urlencoded",
                    "accept": "application/json",
                    "dpop": make_proof(
                        key, method="POST", url=url, token_id=_token_id(), now_seconds=self._now(), nonce=nonce
                    ),
                },
                body=urlencode({**form, **self._authentication(server, client)}).encode(),
                timeout_seconds=_TIMEOUT_SECONDS,
            )
            self.nonces.store_nonce(url, response.headers)
            if response.is_ok:
                return response
            name = read_error(response.status, response.body).name
            if name == USE_NONCE and not is_second and self.nonces.newest(url) != nonce:
                is_second = True
                continue
            raise self._refusal(server, response, name)

    def _note(self, server: ServerMetadata, key: PrivateKey, failure: Failure | None) -> None:
        """Record the outcome of a call. Each session has its own key, so the key identifies the account."""
        if self.circuits is not None:
            self.circuits.note(server.issuer, failure, account=format_multikey(key.public))

    def _authentication(self, server: ServerMetadata, client: OAuthClientIdentity) -> dict[str, str]:
        fields = {"client_id": client.client_id}
        if client.key is not None:
            fields["client_assertion_type"] = ASSERTION_TYPE
            fields["client_assertion"] = make_assertion(
                client.key,
                key_id=client.key_id,
                client_id=client.client_id,
                issuer=server.issuer,
                token_id=_token_id(),
                now_seconds=self._now(),
            )
        return fields

    def _refusal(self, server: ServerMetadata, response: HttpResponse, name: str) -> Failure:
        """Return the failure for an error response.

        It names the server and the error code, because OAuth's own descriptions are written for programs.
        """
        why = f"{_host(server)} refused the request ({name})."
        if response.status == 429:
            return TooMany(why, after_seconds=retry_after_seconds(response.headers, self.clock.now()), name=name)
        if response.status >= 500 or response.status < 400:
            return RemoteFailed(f"{_host(server)} answered with status {response.status}.", status=response.status)
        return NotSignedIn(why, name=name) if name == INVALID_GRANT else Refused(why, name=name)

    def _now(self) -> int:
        return self.clock.now() // SECOND


def _tokens(server: ServerMetadata, response: Mapping[str, object]) -> Tokens:
    access, scope, subject = response.get("access_token"), response.get("scope"), response.get("sub")
    refresh, expires_in = response.get("refresh_token", ""), response.get("expires_in")
    kind = response.get("token_type")
    if not (isinstance(access, str) and isinstance(scope, str) and isinstance(subject, str)):
        raise RemoteFailed(f"{_host(server)} did not return tokens.")
    if not isinstance(refresh, str) or not access or len(access) + len(refresh) > _MAX_TOKEN_LENGTH:
        raise RemoteFailed(f"{_host(server)} did not return tokens.")
    if not isinstance(kind, str) or kind.lower() != "dpop" or ATPROTO not in scope.split():
        raise RemoteFailed(f"{_host(server)} returned tokens of an unexpected type.")
    try:
        did = parse_did(subject)
    except Malformed:
        raise RemoteFailed(f"{_host(server)} does not say which account the tokens belong to.") from None
    # A whole JSON number can arrive as a float. Anything else counts as not stated.
    seconds = int(expires_in) if isinstance(expires_in, int | float) and 0 < expires_in < 10**9 else None
    return Tokens(did=did, scope=scope, access=access, refresh=refresh, expires_in_seconds=seconds)


def _members(response: HttpResponse) -> Mapping[str, object]:
    if not response.body:
        return {}
    members = response.json()
    if not isinstance(members, dict):
        raise RemoteFailed("The answer is not a JSON object.", status=response.status)
    return members


def _token_id() -> str:
    return secrets.token_urlsafe(_TOKEN_ID_BYTES)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _host(server: ServerMetadata) -> str:
    return server.issuer.partition("://")[2]
