"""Keys on secp256k1 (JOSE: ES256K), the protocol's default curve. libsecp256k1 makes low-S signatures and rejects
high-S itself.
"""

from hashlib import sha256

from coincurve import PrivateKey as _Secret
from coincurve import PublicKey as _Point

from at_protocol.crypto.scalar import scalar_from
from at_protocol.failures import Malformed

ALGORITHM = "ES256K"
CURVE = "secp256k1"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
MULTICODEC = b"\xe7\x01"


def der_signature(r: int, s: int) -> bytes:
    """Convert the numbers r and s to the DER form that curve libraries use (RFC 3279, section 2.2.3).

    Both numbers must be within the curve's order.
    """
    body = _der_integer(r) + _der_integer(s)
    return bytes((0x30, len(body))) + body


def _der_integer(number: int) -> bytes:
    # DER integers are signed, so one more byte is needed if the top bit is set.
    content = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return bytes((2, len(content))) + content


class K256PublicKey:
    """A point on the curve. Equality and hash are those of the point."""

    __slots__ = ("_encoded", "_point")

    algorithm = ALGORITHM
    curve = CURVE
    multicodec = MULTICODEC

    def __init__(self, encoded: bytes) -> None:
        """Accepts 33 bytes (compressed) or 65 bytes (uncompressed). Raises Malformed (kind ``key``)."""
        # The library also reads the hybrid forms 06 and 07, which none of our specifications allow.
        if (len(encoded), encoded[:1]) not in {(33, b"\x02"), (33, b"\x03"), (65, b"\x04")}:
            raise Malformed("key", encoded, "neither a compressed nor an uncompressed point")
        try:
            self._point = _Point(encoded)
        except ValueError as error:
            raise Malformed("key", encoded, "not a point on secp256k1") from error
        self._encoded = encoded if len(encoded) == 33 else self._point.format(compressed=True)

    def __bytes__(self) -> bytes:
        """The compressed form, 33 bytes."""
        return self._encoded

    def coordinates(self) -> tuple[int, int]:
        """Return the x and y coordinates of the point (for JWK)."""
        return self._point.point()

    def verify(self, content: bytes, signature: bytes, *, allow_high_s: bool = False) -> bool:
        """Whether this is a 64-byte low-S signature by this key over the SHA-256 of the content.

        ``allow_high_s`` accepts high-S signatures as well. Some deployed software makes tokens with them, but commits
        and directory operations must never have them.
        """
        if len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if not 0 < r < ORDER or not 0 < s < ORDER:
            return False
        if s > ORDER // 2:
            if not allow_high_s:
                return False
            s = ORDER - s
        return self._point.verify(der_signature(r, s), sha256(content).digest(), None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, K256PublicKey) and self._encoded == other._encoded

    def __hash__(self) -> int:
        return hash(self._encoded)

    def __repr__(self) -> str:
        return f"K256PublicKey({self._encoded.hex()})"


class K256PrivateKey:
    """A private key. Its repr does not show the number."""

    __slots__ = ("_secret", "public")

    algorithm = ALGORITHM

    def __init__(self, secret: bytes) -> None:
        """Accepts 32 bytes. Raises Malformed (kind ``key``) for zero and for numbers beyond the curve's order."""
        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < ORDER:
            raise Malformed("key", "(secret)", "a private key is 32 bytes within the curve's order")
        self._secret = _Secret(secret)
        self.public = K256PublicKey(self._secret.public_key.format(compressed=True))

    @classmethod
    def from_bytes(cls, secret: bytes) -> "K256PrivateKey":
        """Return the key that ``to_bytes`` serialized."""
        return cls(secret)

    @classmethod
    def from_random(cls, entropy: bytes) -> "K256PrivateKey":
        """Create a new key from at least 32 random bytes (see ``at_protocol.crypto.scalar``)."""
        return cls(scalar_from(entropy, ORDER))

    def to_bytes(self) -> bytes:
        """Return the 32 bytes of the key for storage."""
        return self._secret.secret

    def sign(self, content: bytes) -> bytes:
        """Sign the SHA-256 of the content. Returns 64 bytes, r and s; low-S, deterministic (RFC 6979)."""
        return self._secret.sign_recoverable(content)[:64]

    def __repr__(self) -> str:
        return "K256PrivateKey(…)"
