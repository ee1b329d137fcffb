"""Access tokens: JWTs (RFC 9068) signed with a key of this server, bound to the app's key (``cnf``) and to a session
(``sid``).

They are valid for fifteen minutes, but only as long as their session is, so code that accepts one must also ask
``session_cache``.
"""

import secrets
from dataclasses import dataclass

from at_protocol.crypto import jwt
from at_protocol.crypto.jwk import thumbprint, to_jwk
from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.failures import Malformed
from at_protocol.oauth.client_id import ClientId
from at_protocol.oauth.grant import Grant, read_grant
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import MINUTE, SECOND, Instant

LIFETIME = 15 * MINUTE
TYPE = "at+jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """Claims of a token that we signed. In ``scope``, every ``include:`` is expanded."""

    did: Did
    session_id: str
    client_id: ClientId
    scope: str
    grant: Grant
    jkt: str
    issued_at: Instant
    expires_at: Instant


class AccessTokens:
    """Signs and reads the tokens of one server."""

    def __init__(self, key: P256PrivateKey, issuer: str, audience: str) -> None:
        self._key = key
        self._key_id = thumbprint(key.public)
        self._issuer = issuer
        self._audience = audience

    def jwks(self) -> dict[str, object]:
        """The public key set (JWKS) for verifying tokens."""
        return {"keys": [{**to_jwk(self._key.public), "kid": self._key_id, "alg": "ES256", "use": "sig"}]}

    def sign(
        self,
        did: Did,
        session_id: str,
        client_id: ClientId,
        scope: str,
        jkt: str,
        *,
        issued_at: Instant,
        ends_at: Instant,
    ) -> str:
        """Make a new token that is valid until ``ends_at``."""
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": did,
            "sid": session_id,
            "client_id": client_id,
            "scope": scope,
            "cnf": {"jkt": jkt},
            "jti": secrets.token_urlsafe(16),
            "iat": issued_at // SECOND,
            "exp": ends_at // SECOND,
        }
        return jwt.sign(claims, self._key, header={"typ": TYPE, "kid": self._key_id})

    def read(self, text: str) -> AccessClaims:
        """Return the claims of a token issued by this server, expired or not. Raises Malformed for any other token."""
        token = jwt.verify(text, self._key.public)
        claims = token.claims
        confirmation = claims.get("cnf")
        jkt = confirmation.get("jkt") if isinstance(confirmation, dict) else None
        scope, session_id, client_id = claims.get("scope"), claims.get("sid"), claims.get("client_id")
        issued_at, expires_at = claims.get("iat"), claims.get("exp")
        if (
            token.header.get("typ") != TYPE
            or claims.get("iss") != self._issuer
            or claims.get("aud") != self._audience
            or not isinstance(jkt, str)
            or not isinstance(scope, str)
            or not isinstance(session_id, str)
            or not isinstance(client_id, str)
            or not isinstance(issued_at, int)
            or not isinstance(expires_at, int)
        ):
            raise Malformed("access token", "(token)", "not an access token for this server")
        return AccessClaims(
            did=parse_did(str(claims.get("sub"))),
            session_id=session_id,
            client_id=ClientId(client_id),
            scope=scope,
            grant=read_grant(scope),
            jkt=jkt,
            issued_at=Instant(issued_at * SECOND),
            expires_at=Instant(expires_at * SECOND),
        )
