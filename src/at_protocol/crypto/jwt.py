"""Signed tokens in the compact form, ES256K and ES256 only (RFC 7515, 7519, 8812): three base64url parts joined by
dots.

``read`` only parses; ``Token.is_signed_by`` verifies the signature. The key determines the algorithm; the
header of the token does not. The caller checks the claims (issuer, audience, times).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from at_protocol.crypto import base64url
from at_protocol.crypto.did_key import PrivateKey, PublicKey
from at_protocol.failures import Malformed

# In characters. Service tokens have a few hundred, DPoP proofs and access tokens one or two thousand.
MAX_LENGTH = 16_384


@dataclass(frozen=True, slots=True)
class Token:
    """A parsed token whose signature is not verified yet."""

    header: dict[str, object]
    claims: dict[str, object]
    signed: bytes
    """The first two parts with their dot, which the signature covers."""
    signature: bytes

    @property
    def algorithm(self) -> str:
        """The ``alg`` of the header, or an empty string if it is not text."""
        algorithm = self.header.get("alg")
        return algorithm if isinstance(algorithm, str) else ""

    def is_signed_by(self, public: PublicKey, *, allow_high_s: bool = False) -> bool:
        """Whether the header names this key's algorithm and the key made the signature."""
        return self.algorithm == public.algorithm and public.verify(
            self.signed, self.signature, allow_high_s=allow_high_s
        )


def sign(claims: Mapping[str, object], private: PrivateKey, *, header: Mapping[str, object] | None = None) -> str:
    """Create a signed compact token. ``alg`` is the key's algorithm; ``typ`` is ``JWT`` unless ``header`` overrides it."""
    complete = {"typ": "JWT", **(header or {}), "alg": private.algorithm}
    signed = f"{_part(complete)}.{_part(claims)}"
    return f"{signed}.{base64url.encode(private.sign(signed.encode('ascii')))}"


def read(text: str) -> Token:
    """Parse a token. Raises Malformed (kind ``jwt``)."""
    if len(text) > MAX_LENGTH:
        raise Malformed("jwt", text, f"longer than {MAX_LENGTH} characters")
    parts = text.split(".")
    if len(parts) != 3:
        raise Malformed("jwt", text, "not three parts joined by dots")
    try:
        header, claims, signature = (base64url.decode(part) for part in parts)
    except Malformed as error:
        raise Malformed("jwt", text, error.why) from error
    return Token(_object(header), _object(claims), f"{parts[0]}.{parts[1]}".encode("ascii"), signature)


def verify(text: str, public: PublicKey, *, allow_high_s: bool = False) -> Token:
    """Return the token if this key signed it. Raises Malformed (kind ``jwt``)."""
    token = read(text)
    if not token.is_signed_by(public, allow_high_s=allow_high_s):
        raise Malformed("jwt", token.algorithm, "not signed by the expected key")
    return token


def _part(members: Mapping[str, object]) -> str:
    return base64url.encode(json.dumps(members, separators=(",", ":")).encode("ascii"))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):  # RFC 7515 section 4: two parsers could disagree on which duplicate counts
        raise Malformed("jwt", [name for name, _ in pairs], "a member appears twice")
    return members


def _object(content: bytes) -> dict[str, object]:
    try:
        members: object = json.loads(str(content, "utf-8"), object_pairs_hook=_unique)
    except Malformed:
        raise
    # ValueError: not UTF-8, not JSON, or a number with thousands of digits
    except (ValueError, RecursionError) as error:
        raise Malformed("jwt", content[:40], "a part is not JSON") from error
    if not isinstance(members, dict):
        raise Malformed("jwt", content[:40], "a part is not a JSON object")
    return members
