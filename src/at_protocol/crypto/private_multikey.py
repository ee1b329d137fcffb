"""Private keys as text: ``z`` and the base58 encoding of the curve's two-byte multicodec and the 32-byte number.

Source: the multicodec table (``p256-priv`` 0x1306, ``secp256k1-priv`` 0x1301, as varints) and W3C Multikey,
``secretKeyMultibase``. Tools of this network exchange private keys in this form.
"""

from at_protocol.crypto import base58, k256, p256
from at_protocol.crypto.did_key import PrivateKey
from at_protocol.failures import Malformed

_CODECS: dict[bytes, type[k256.K256PrivateKey] | type[p256.P256PrivateKey]] = {
    b"\x86\x26": p256.P256PrivateKey,
    b"\x81\x26": k256.K256PrivateKey,
}


def parse_private_multikey(text: str) -> PrivateKey:
    """Parse a private key. Raises Malformed (kind ``key``); the error never contains the text itself."""
    try:
        encoded = base58.decode(text.removeprefix("z")) if text.startswith("z") else b""
    except Malformed:
        encoded = b""
    kind = _CODECS.get(encoded[:2])
    if kind is None or len(encoded) != 34:
        raise Malformed("key", "(secret)", "not z and the base58 of a P-256 or secp256k1 private key")
    return kind.from_bytes(encoded[2:])


def format_private_multikey(key: PrivateKey) -> str:
    """Return the text of a private key, which is a secret."""
    codec = next(codec for codec, kind in _CODECS.items() if isinstance(key, kind))
    return "z" + base58.encode(codec + key.to_bytes())
