"""Client authentication by a signed token (``private_key_jwt``, RFC 7523 section 3; atproto OAuth specification)."""

from dataclasses import dataclass
from typing import Final

from at_protocol.crypto import jwt
from at_protocol.crypto.did_key import PrivateKey
from at_protocol.failures import Malformed
from at_protocol.oauth.client_id import ClientId
from at_protocol.oauth.client_metadata import ASSERTION_ALGORITHMS
from at_protocol.oauth.jwks import ClientKey

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

MAX_AGE_SECONDS: Final = 60
_MAX_TOKEN_ID_LENGTH: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """Claims of an assertion, unverified until ``check_signature`` returns. Times are seconds since 1970."""

    client_id: ClientId
    key_id: str
    algorithm: str
    token_id: str
    issued_at: int
    unverified: jwt.Token


def read_assertion(text: str, *, client_id: ClientId, issuer: str, now_seconds: int) -> Assertion:
    """Validate an assertion except for its signature. Raises Malformed (kind ``client assertion`` or ``jwt``).

    Its audience must be ``issuer`` itself. An audience such as the token endpoint's URL is rejected, because the
    assertion could be meant for another server.
    """
    token = jwt.read(text)
    key_id, algorithm = token.header.get("kid"), token.algorithm
    if not isinstance(key_id, str) or not key_id:
        raise _bad("it names no key (kid)")
    if algorithm not in ASSERTION_ALGORITHMS:
        raise _bad(f"its algorithm is not one of {', '.join(ASSERTION_ALGORITHMS)}")
    if token.header.get("typ", "JWT") not in ("JWT", "jwt", "client-authentication+jwt") or "crit" in token.header:
        raise _bad("its header is not valid for an assertion")
    claims = token.claims
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise _bad("iss and sub must both be the client_id")
    audience = claims.get("aud")
    if audience != issuer and not (isinstance(audience, list) and issuer in audience):
        raise _bad(f"aud must be {issuer}")
    token_id, issued_at, expires_at = claims.get("jti"), claims.get("iat"), claims.get("exp")
    if not isinstance(token_id, str) or not 0 < len(token_id) <= _MAX_TOKEN_ID_LENGTH:
        raise _bad("it has no usable jti")
    if type(issued_at) is not int or abs(now_seconds - issued_at) > MAX_AGE_SECONDS:
        raise _bad("it was not created just now (iat)")
    if expires_at is not None and (type(expires_at) is not int or expires_at <= now_seconds):
        raise _bad("it has expired (exp)")
    return Assertion(
        client_id=client_id,
        key_id=key_id,
        algorithm=algorithm,
        token_id=token_id,
        issued_at=issued_at,
        unverified=token,
    )


def check_signature(assertion: Assertion, key: ClientKey) -> None:
    """Raise Malformed unless the client's key made the signature."""
    if not assertion.unverified.is_signed_by(key.public, allow_high_s=True):
        raise _bad("its signature was not made with the key that it names")


def make_assertion(
    private: PrivateKey, *, key_id: str, client_id: str, issuer: str, token_id: str, now_seconds: int
) -> str:
    """Create an assertion. For clients; ``token_id`` is random."""
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "jti": token_id,
        "iat": now_seconds,
        "exp": now_seconds + MAX_AGE_SECONDS,
    }
    return jwt.sign(claims, private, header={"kid": key_id})


def _bad(why: str) -> Malformed:
    return Malformed("client assertion", "(assertion)", why)
