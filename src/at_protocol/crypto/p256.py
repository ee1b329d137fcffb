"""Keys on NIST P-256 (JOSE: ES256). The library makes and accepts high-S signatures, so this module enforces low-S."""

from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from at_protocol.crypto.scalar import scalar_from
from at_protocol.failures import Malformed

ALGORITHM = "ES256"
CURVE = "P-256"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
MULTICODEC = b"\x80\x24"

_PREHASHED = ec.ECDSA(Prehashed(SHA256()))


class P256PublicKey:
    """A point on the curve. Equality and hash are those of the point."""

    __slots__ = ("_encoded", "_point")

    algorithm = ALGORITHM
    curve = CURVE
    multicodec = MULTICODEC

    def __init__(self, encoded: bytes) -> None:
        """Accepts 33 bytes (compressed) or 65 bytes (uncompressed). Raises Malformed (kind ``key``)."""
        if (len(encoded), encoded[:1]) not in {(33, b"\x02"), (33, b"\x03"), (65, b"\x04")}:
            raise Malformed("key", encoded, "neither a compressed nor an uncompressed point")
        try:
            self._point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encoded)
        except ValueError as error:
            raise Malformed("key", encoded, "not a point on P-256") from error
        self._encoded = self._point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    def __bytes__(self) -> bytes:
        """The compressed form, 33 bytes."""
        return self._encoded

    def coordinates(self) -> tuple[int, int]:
        """Return the x and y coordinates of the point (for JWK)."""
        numbers = self._point.public_numbers()
        return numbers.x, numbers.y

    def verify(self, content: bytes, signature: bytes, *, allow_high_s: bool = False) -> bool:
        """Whether this is a 64-byte low-S signature by this key over the SHA-256 of the content.

        ``allow_high_s`` accepts high-S signatures as well. Some deployed software makes tokens with them, but commits
        and directory operations must never have them.
        """
        if len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if not 0 < r < ORDER or not 0 < s < ORDER or (s > ORDER // 2 and not allow_high_s):
            return False
        try:
            self._point.verify(encode_dss_signature(r, s), sha256(content).digest(), _PREHASHED)
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, P256PublicKey) and self._encoded == other._encoded

    def __hash__(self) -> int:
        return hash(self._encoded)

    def __repr__(self) -> str:
        return f"P256PublicKey({self._encoded.hex()})"


class P256PrivateKey:
    """A private key. Its repr does not show the number."""

    __slots__ = ("_secret", "public")

    algorithm = ALGORITHM

    def __init__(self, secret: bytes) -> None:
        """Accepts 32 bytes. Raises Malformed (kind ``key``) for zero and for numbers beyond the curve's order."""
        number = int.from_bytes(secret, "big")
        if len(secret) != 32 or not 0 < number < ORDER:
            raise Malformed("key", "(secret)", "a private key is 32 bytes within the curve's order")
        self._secret = ec.derive_private_key(number, ec.SECP256R1())
        point = self._secret.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self.public = P256PublicKey(point)

    @classmethod
    def from_bytes(cls, secret: bytes) -> "P256PrivateKey":
        """Return the key that ``to_bytes`` serialized."""
        return cls(secret)

    @classmethod
    def from_random(cls, entropy: bytes) -> "P256PrivateKey":
        """Create a new key from at least 32 random bytes (see ``at_protocol.crypto.scalar``)."""
        return cls(scalar_from(entropy, ORDER))

    def to_bytes(self) -> bytes:
        """Return the 32 bytes of the key for storage."""
        return self._secret.private_numbers().private_value.to_bytes(32, "big")

    def sign(self, content: bytes) -> bytes:
        """Sign the SHA-256 of the content. Returns 64 bytes, r and s; low-S."""
        r, s = decode_dss_signature(self._secret.sign(sha256(content).digest(), _PREHASHED))
        # Half of the library's signatures are high-S. Replacing s with n - s gives an equally valid signature (atproto
        # cryptography specification, "low-S").
        low = min(s, ORDER - s)
        return r.to_bytes(32, "big") + low.to_bytes(32, "big")

    def __repr__(self) -> str:
        return "P256PrivateKey(…)"
