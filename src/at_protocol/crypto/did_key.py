"""Public keys as text: multikey (``z…``), did:key, and two older forms still found in DID documents.

A multikey is ``z`` followed by the base58 encoding of the curve's two-byte multicodec and the 33 bytes of the
compressed point (W3C Multikey, did:key method). The older types contain only the point, compressed or not, without the
curve. They can be read but are never written.
"""

from typing import TypeAlias

from at_protocol.crypto import base58, k256, p256
from at_protocol.failures import Malformed

PublicKey: TypeAlias = k256.K256PublicKey | p256.P256PublicKey
PrivateKey: TypeAlias = k256.K256PrivateKey | p256.P256PrivateKey

_PREFIX = "did:key:"
LEGACY_TYPES: dict[str, type[k256.K256PublicKey] | type[p256.P256PublicKey]] = {
    "EcdsaSecp256k1VerificationKey2019": k256.K256PublicKey,
    "EcdsaSecp256r1VerificationKey2019": p256.P256PublicKey,
}


def parse_did_key(text: str) -> PublicKey:
    """Parse a did:key. Raises Malformed (kind ``key``)."""
    if not text.startswith(_PREFIX):
        raise Malformed("key", text, "does not begin with did:key:")
    return parse_multikey(text[len(_PREFIX) :])


def format_did_key(public: PublicKey) -> str:
    """Return the did:key of a public key."""
    return _PREFIX + format_multikey(public)


def parse_multikey(text: str) -> PublicKey:
    """Parse a multikey. Raises Malformed (kind ``key``)."""
    encoded = _multibase(text)
    if len(encoded) != 35:
        raise Malformed("key", text, "not a two-byte curve code and a compressed point")
    match encoded[:2]:
        case k256.MULTICODEC:
            return k256.K256PublicKey(encoded[2:])
        case p256.MULTICODEC:
            return p256.P256PublicKey(encoded[2:])
        case _:
            raise Malformed("key", text, "neither a secp256k1 nor a P-256 key")


def format_multikey(public: PublicKey) -> str:
    """Return the multikey of a public key."""
    return "z" + base58.encode(public.multicodec + bytes(public))


def parse_legacy_multibase(text: str, key_type: str) -> PublicKey:
    """Parse the key of an older verification method, whose type names the curve. Raises Malformed (kind ``key``)."""
    curve = LEGACY_TYPES.get(key_type)
    if curve is None:
        raise Malformed("key", key_type, "not a known type of key")
    return curve(_multibase(text))


def _multibase(text: str) -> bytes:
    if not text.startswith("z"):
        raise Malformed("key", text, "not base58 (does not begin with z)")
    try:
        return base58.decode(text[1:])
    except Malformed as error:
        raise Malformed("key", text, error.why) from error
