"""Public keys as JSON Web Keys (RFC 7517; curves of RFC 7518 section 6.2 and RFC 8812 section 3.1)."""

import json
from collections.abc import Mapping
from hashlib import sha256

from at_protocol.crypto import base64url, k256, p256
from at_protocol.crypto.did_key import PublicKey
from at_protocol.failures import Malformed

_CURVES: dict[str, type[k256.K256PublicKey] | type[p256.P256PublicKey]] = {
    k256.CURVE: k256.K256PublicKey,
    p256.CURVE: p256.P256PublicKey,
}


def to_jwk(public: PublicKey) -> dict[str, str]:
    """Return the key as a JWK with only the required members: ``crv``, ``kty``, ``x``, ``y``."""
    x, y = public.coordinates()
    return {
        "crv": public.curve,
        "kty": "EC",
        "x": base64url.encode(x.to_bytes(32, "big")),
        "y": base64url.encode(y.to_bytes(32, "big")),
    }


def from_jwk(jwk: Mapping[str, object]) -> PublicKey:
    """Parse a JWK on one of the two curves. Raises Malformed (kind ``jwk``), also for a private key."""
    curve = _CURVES.get(str(jwk.get("crv")))
    if jwk.get("kty") != "EC" or curve is None:
        raise Malformed("jwk", jwk.get("crv"), "not a key on secp256k1 or P-256")
    if "d" in jwk:
        raise Malformed("jwk", "(secret)", "a private key where a public one belongs")
    try:
        return curve(b"\x04" + _coordinate(jwk, "x") + _coordinate(jwk, "y"))
    except Malformed as error:
        raise Malformed("jwk", jwk.get("x"), error.why) from error


def _coordinate(jwk: Mapping[str, object], name: str) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise Malformed("jwk", text, f"{name} is not text")
    content = base64url.decode(text)
    if len(content) != 32:
        raise Malformed("jwk", text, f"{name} is not 32 bytes")
    return content


def thumbprint(public: PublicKey) -> str:
    """Return the SHA-256 of the required members in order, as base64url (RFC 7638). ``cnf.jkt`` names a key this way."""
    members = json.dumps(to_jwk(public), separators=(",", ":"), sort_keys=True)
    return base64url.encode(sha256(members.encode("ascii")).digest())
