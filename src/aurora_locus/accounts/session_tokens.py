"""Session tokens: JWTs signed with a secret of this server, with the same lifetimes as in the reference server.

Access and refresh tokens differ in header type and scope, and neither is accepted as the other. Other kinds of token
are not accepted either: a token with ``lxm`` (service auth) or ``cnf`` (OAuth) is not a session token.
"""

import contextlib
import warnings

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OctKey
from msgspec import DecodeError, json

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.accounts.model import AccessToken, RefreshToken, SessionScope
from groundwork.clock import DAY, MINUTE, SECOND, Instant
from groundwork.errors import NotSignedIn

ACCESS_LIFETIME = 120 * MINUTE
REFRESH_LIFETIME = 90 * DAY
# The installer of the reference PDS generates 16 random bytes in hexadecimal.
MIN_SECRET_BYTES = 16

_ACCESS_TYPE = "at+jwt"
_REFRESH_TYPE = "refresh+jwt"


class SessionTokenSigner:
    """Signs and reads the tokens of one server. ``audience`` is its service DID.

    Tokens signed with the ``previous`` secret are still accepted, so that the secret can be replaced without ending
    sessions.
    """

    def __init__(self, secret: bytes, audience: str, previous: bytes = b"") -> None:
        self._key = _key(secret)
        self._readable_with = [self._key, *([_key(previous)] if previous else [])]
        self._audience = audience

    def access(self, did: Did, scope: SessionScope, now: Instant) -> str:
        """Make an access token."""
        return self._sign(_ACCESS_TYPE, did, scope, now, ACCESS_LIFETIME, {})

    def refresh(self, did: Did, token_id: str, now: Instant, expires_at: Instant) -> str:
        """Make the refresh token whose row in ``sessions`` has the id ``token_id``."""
        return self._sign(_REFRESH_TYPE, did, SessionScope.REFRESH, now, expires_at - now, {"jti": token_id})

    def read_access(self, token: str, now: Instant) -> AccessToken:
        """Read an access token. Raises NotSignedIn: ``ExpiredToken`` after its expiry, ``InvalidToken`` for anything
        else.
        """
        claims = self._read(token, _ACCESS_TYPE)
        try:
            scope = SessionScope(str(claims.get("scope")))
        except ValueError:
            raise _invalid() from None
        if scope is SessionScope.REFRESH:
            raise _invalid()
        issued_at, expires_at = self._times(claims, now)
        return AccessToken(self._subject(claims), scope, issued_at, expires_at)

    def read_refresh(self, token: str, now: Instant, *, even_if_expired: bool = False) -> RefreshToken:
        """Read a refresh token. Raises NotSignedIn as ``read_access`` does. Signing out also accepts an expired
        token.
        """
        claims = self._read(token, _REFRESH_TYPE)
        token_id = claims.get("jti")
        if claims.get("scope") != SessionScope.REFRESH or not isinstance(token_id, str):
            raise _invalid()
        _, expires_at = self._times(claims, Instant(0) if even_if_expired else now)
        return RefreshToken(self._subject(claims), token_id, expires_at)

    def _sign(
        self, kind: str, did: Did, scope: SessionScope, now: Instant, lifetime: int, further_claims: dict[str, object]
    ) -> str:
        claims = {
            "scope": scope.value,
            "sub": did,
            "aud": self._audience,
            "iat": now // SECOND,
            "exp": (now + lifetime) // SECOND,
            **further_claims,
        }
        return jws.serialize_compact({"alg": "HS256", "typ": kind}, json.encode(claims), self._key)

    def _read(self, token: str, kind: str) -> dict[str, object]:
        read = self._verify(token)
        try:
            claims = json.decode(read.payload, type=dict[str, object])
        except DecodeError:
            raise _invalid() from None
        if read.headers().get("typ") != kind or "lxm" in claims or "cnf" in claims:
            raise _invalid()
        if claims.get("aud") != self._audience:
            raise _invalid()
        return claims

    def _verify(self, token: str) -> jws.CompactSignature:
        for key in self._readable_with:
            with contextlib.suppress(JoseError, ValueError):
                return jws.deserialize_compact(token, key, algorithms=["HS256"])
        raise _invalid()

    def _subject(self, claims: dict[str, object]) -> Did:
        try:
            return parse_did(str(claims.get("sub")))
        except Malformed:
            raise _invalid() from None

    def _times(self, claims: dict[str, object], now: Instant) -> tuple[Instant, Instant]:
        issued, expires = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int) or not isinstance(expires, int):
            raise _invalid()
        if now >= expires * SECOND:
            raise expired_token()
        return Instant(issued * SECOND), Instant(expires * SECOND)


def _key(secret: bytes) -> OctKey:
    with warnings.catch_warnings():
        # At start, the server warns about the short secret of an existing installation.
        warnings.simplefilter("ignore", SecurityWarning)
        return OctKey.import_key(secret)


def expired_token() -> NotSignedIn:
    """The error for an expired token."""
    return NotSignedIn("This token has expired. Refresh the session, or sign in again.", name="ExpiredToken")


def _invalid() -> NotSignedIn:
    return NotSignedIn("This token cannot be used here. Sign in again.", name="InvalidToken")
