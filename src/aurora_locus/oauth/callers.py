"""Authentication of apps: ``Authorization: DPoP`` with a proof for this request (RFC 9449 section 7).

This runs before every call of an app, so it uses caches: verified tokens by their text, proof keys by their header,
session validity for two seconds. Only one signature check remains.

Order: token → its expiry → proof → nonce → the key that the token names → single use → the session is still valid.
"""

from collections.abc import Iterable

from cachetools import LRUCache

from at_protocol.failures import Malformed
from at_protocol.oauth.dpop import ALGORITHMS, BadDpopProof, normal_address
from aurora_locus.oauth import proofs
from aurora_locus.oauth.access_tokens import AccessClaims
from aurora_locus.oauth.proofs import NonceRequired
from aurora_locus.oauth.server import AuthorizationServer
from groundwork.errors import NotSignedIn

# A token takes about 900 bytes, its claims about twice as much.
_KEPT_TOKENS = 4096

_SCHEME = b"dpop "


def is_app(header: bytes | None) -> bool:
    """Whether an Authorization header uses the DPoP scheme."""
    return header is not None and header[: len(_SCHEME)].lower() == _SCHEME


class AppCallers:
    """Authenticates the requests of apps for one server."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server
        self._verified: LRUCache[str, AccessClaims] = LRUCache(_KEPT_TOKENS)
        # Paths are appended to this origin, so it must not end with a slash.
        self._origin = normal_address(server.issuer).rstrip("/")

    async def read(
        self, authorization: bytes, headers: Iterable[tuple[bytes, bytes]], method: str, path: str
    ) -> AccessClaims:
        """Return the session's account and scopes. Raises NotSignedIn (``invalid_token``, ``invalid_dpop_proof``,
        ``use_dpop_nonce``) with a matching challenge.
        """
        server, clock = self._server, self._server.registry.clock
        token = authorization[len(_SCHEME) :].decode("latin-1")
        access = self._verified.get(token)
        if access is None:
            try:
                access = server.access_tokens.read(token)
            except Malformed:
                raise refused_token(
                    "invalid_token", "This is not an access token for this server. Sign in again."
                ) from None
            self._verified[token] = access
        if access.expires_at <= clock.now():
            raise refused_token("invalid_token", "This access token has expired. Refresh it.")
        try:
            proof = proofs.check(
                proofs.header_of(headers),
                server.nonces,
                clock,
                method=method,
                address=self._origin + path,
                access_token=token,
            )
            if proof.thumbprint != access.jkt:
                raise refused_token(
                    "invalid_token", "The access token is bound to a different key than that of the DPoP proof."
                )
            await proofs.use_up(proof, server.replays, clock)
        except BadDpopProof as bad:
            raise refused_token("invalid_dpop_proof", f"The DPoP proof cannot be accepted: {bad.why}.") from None
        except NonceRequired:
            why = "The DPoP proof needs the nonce that is in the DPoP-Nonce header of this response."
            raise refused_token("use_dpop_nonce", why) from None
        if await server.session_cache.owner_of(access.session_id) != access.did:
            raise refused_token("invalid_token", "This session was ended. Sign in again.")
        return access


def refused_token(name: str, why: str) -> NotSignedIn:
    """The error for a refused request of an app, with the challenge that tells the client what to do."""
    challenge = f'DPoP algs="{" ".join(ALGORITHMS)}", error="{name}", error_description="{why}"'
    return NotSignedIn(why, name=name, headers={"www-authenticate": challenge})
