"""Service tokens: short-lived tokens with which an account calls another server ("service auth").

Source: atproto XRPC specification, "Inter-Service Authentication". The order of checks and the error names are those of
the reference server. Parsing needs no network. The caller then resolves the issuer's key, calls ``check_signature``
(again with a freshly resolved key if that differs), and records ``token_id`` until ``expires_at`` so that nobody can
use a token twice.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from at_protocol.crypto import jwt
from at_protocol.crypto.did_key import PrivateKey, PublicKey
from at_protocol.failures import Malformed, Misuse
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid

LIFETIME_SECONDS: Final = 60
# The longest lifetime of tokens that we issue or accept.
MAX_LIFETIME_SECONDS: Final = 60 * 60
MAX_CLOCK_SKEW_SECONDS: Final = 60

ACCOUNT_KEY: Final = "#atproto"
LABELER_KEY: Final = "#atproto_label"
_LABELER_SERVICE: Final = "#atproto_labeler"

# Types of other tokens on this network that could be mistaken for a service token.
_FOREIGN_TYPES: Final = frozenset({"at+jwt", "refresh+jwt", "dpop+jwt"})
_ALGORITHMS: Final = frozenset({"ES256K", "ES256"})


class BadServiceToken(Malformed):
    """A service token that must not be accepted. ``kind`` is the XRPC error name (the status is always 401)."""

    @property
    def name(self) -> str:
        return self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceToken:
    """Claims of a token, unverified until ``check_signature`` returns. Times are seconds since 1970."""

    issuer: Did
    audience: str
    method: Nsid
    expires_at: int
    issued_at: int | None
    token_id: str | None
    key_id: str
    """Fragment of the verification method in the issuer's DID document."""
    unverified: jwt.Token


def make_service_token(
    private: PrivateKey,
    *,
    issuer: Did,
    audience: str,
    method: Nsid | None,
    now_seconds: int,
    token_id: str,
    lifetime_seconds: int = LIFETIME_SECONDS,
) -> str:
    """Create a compact token. ``audience`` is ``did#service`` or, for older services, the bare DID. ``token_id`` is
    random.

    ``method`` is None only if an account requests a token of the older kind, which is valid for all methods.
    """
    if lifetime_seconds <= 0:
        raise Misuse("the token would expire before it is sent")
    claims: dict[str, object] = {
        "iat": now_seconds,
        "iss": issuer,
        "aud": audience,
        "exp": now_seconds + lifetime_seconds,
        "jti": token_id,
    }
    if method is not None:
        claims["lxm"] = method
    return jwt.sign(claims, private)


def read_service_token(
    text: str,
    *,
    audiences: Collection[str],
    method: Nsid,
    now_seconds: int,
    allow_labeler: bool = False,
) -> ServiceToken:
    """Validate a token except for its signature: type, times, audience, method. Raises BadServiceToken.

    ``audiences`` are our own names and are compared exactly; a bare DID does not match every service.
    """
    try:
        token = jwt.read(text)
    except Malformed as failure:
        raise BadServiceToken("BadJwt", "", failure.why) from None
    if token.header.get("typ") in _FOREIGN_TYPES:
        raise BadServiceToken("BadJwtType", token.header["typ"], "a token of another type")
    claims = token.claims
    if "cnf" in claims:
        raise BadServiceToken("BadJwtType", "cnf", "an access token bound to a key, not a service token")
    issuer, audience = _text(claims, "iss"), _text(claims, "aud")
    expires_at = _seconds(claims, "exp")
    issued_at = _seconds(claims, "iat") if "iat" in claims else None
    token_id = _text(claims, "jti") if "jti" in claims else None
    if now_seconds > expires_at:
        raise BadServiceToken("JwtExpired", expires_at, "expired")
    if issued_at is not None and issued_at > now_seconds + MAX_CLOCK_SKEW_SECONDS:
        raise BadServiceToken("BadJwt", issued_at, "issued in the future")
    if audience not in audiences:
        raise BadServiceToken("BadJwtAudience", audience, "addressed to another service")
    if claims.get("lxm") != method:
        raise BadServiceToken("BadJwtLexiconMethod", claims.get("lxm"), f"not made for {method}")
    did, key_id = _issuer(issuer, token.header.get("kid", ACCOUNT_KEY), allow_labeler=allow_labeler)
    # This rejects ``none`` and the shared-secret algorithms. The key then determines which of the two curves is
    # required.
    if token.algorithm not in _ALGORITHMS:
        raise BadServiceToken("BadJwtSignature", token.algorithm, "not signed with ES256K or ES256")
    return ServiceToken(
        issuer=did,
        audience=audience,
        method=method,
        expires_at=expires_at,
        issued_at=issued_at,
        token_id=token_id,
        key_id=key_id,
        unverified=token,
    )


def check_signature(token: ServiceToken, public: PublicKey) -> None:
    """Raise BadServiceToken unless this key signed the token. High-S is accepted, as in the reference server."""
    if not token.unverified.is_signed_by(public, allow_high_s=True):
        raise BadServiceToken("BadJwtSignature", token.issuer, "not signed by the issuer's key")


def _issuer(issuer: str, key_id: object, *, allow_labeler: bool) -> tuple[Did, str]:
    bare, separator, service = issuer.partition("#")
    expected = ACCOUNT_KEY
    if separator:
        if not allow_labeler or separator + service != _LABELER_SERVICE:
            raise BadServiceToken("UntrustedIss", issuer, "not accepted from this service of the issuer")
        expected = LABELER_KEY
        key_id = LABELER_KEY if key_id == ACCOUNT_KEY else key_id
    try:
        did = parse_did(bare)
    except Malformed as failure:
        raise BadServiceToken("BadJwtIss", issuer, failure.why) from None
    if key_id != expected:
        raise BadServiceToken("BadJwtSignature", key_id, f"only the key {expected} is accepted")
    return did, expected


def _text(claims: dict[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise BadServiceToken("BadJwt", value, f"{name} is not text")
    return value


def _seconds(claims: dict[str, object], name: str) -> int:
    value = claims.get(name)
    # JavaScript servers do not distinguish integers from whole floats
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or value < 0:
        raise BadServiceToken("BadJwt", value, f"{name} is not a time in seconds")
    return value
