"""Encryption of secrets at rest: signing keys, tokens of other servers, and anything that a stolen database must not
reveal.

A sealed value is ``version (1) | key id (4) | nonce (12) | AES-256-GCM ciphertext and tag``. The purpose is
authenticated with it. It names the column and the row (``"aurora_locus/signing_key/did:plc:…"``), so that a value
copied into another row cannot be opened there. The first key seals, and every key opens. To rotate keys, put a new key
first, reseal the values for which ``is_stale`` is True, then remove the old key. Nonces are random: NIST SP 800-38D 8.3
allows 2^32 messages per key.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from groundwork import private_file

_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_HEADER_BYTES = 1 + _KEY_ID_BYTES
KEY_BYTES = 32
_MAKE_ONE = "(make one with: openssl rand -base64 32 | tr +/ -_)"


class CannotUnseal(Exception):
    """The value was not sealed with any of our keys for this purpose, or has been changed since then."""


class Sealer:
    """Seals and opens values with a list of 32-byte keys, newest first."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("a sealer needs at least one key")
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"a sealing key has {KEY_BYTES} bytes")
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._newest = _key_id(keys[0])

    def seal(self, plaintext: bytes, purpose: str) -> bytes:
        """Encrypt a value with the newest key."""
        header = _VERSION + self._newest
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._ciphers[self._newest].encrypt(nonce, plaintext, header + purpose.encode())
        return header + nonce + ciphertext

    def unseal(self, sealed: bytes, purpose: str) -> bytes:
        """Decrypt a value. Raises ``CannotUnseal`` without saying whether the key, the purpose or the bytes were wrong."""
        header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        cipher = self._ciphers.get(header[1:])
        if header[:1] != _VERSION or cipher is None or len(nonce) != _NONCE_BYTES:
            raise CannotUnseal("sealed with a key that is not in the list, or not a sealed value")
        try:
            return cipher.decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], header + purpose.encode())
        except InvalidTag:
            raise CannotUnseal("the sealed value was changed, or sealed for another purpose") from None

    def is_stale(self, sealed: bytes) -> bool:
        """True if the value was sealed with an older key. Reseal it before that key is removed."""
        return sealed[1:_HEADER_BYTES] != self._newest


def _key_id(key: bytes) -> bytes:
    # The key id is a hash, which reveals nothing about the key. 32 bits are plenty for a handful of keys.
    return hashlib.sha256(b"groundwork.sealing key id\x00" + key).digest()[:_KEY_ID_BYTES]


def parse_keys(text: str) -> list[bytes]:
    """Parse a comma-separated list of base64url keys, newest first. Raises ValueError with a sentence."""
    keys = []
    for part in (piece.strip() for piece in text.split(",")):
        if not part:
            continue
        try:
            key = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"a sealing key is not base64url {_MAKE_ONE}") from None
        if len(key) != KEY_BYTES:
            raise ValueError(f"a sealing key has {len(key)} bytes instead of {KEY_BYTES} {_MAKE_ONE}")
        keys.append(key)
    if not keys:
        raise ValueError("there is no sealing key")
    return keys


def fresh_key() -> str:
    """Return a new key as text, for a key file or an environment variable."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode().rstrip("=")


def keys_of_file(path: Path) -> list[bytes]:
    """Read the keys from a file that only its owner can read. A missing file is created with a new key.

    If two programs start for the first time at once, both use the same key. Raises ValueError with a sentence if the
    file is damaged.
    """
    if not path.exists():
        private_file.write_once(path, f"{fresh_key()}\n".encode("ascii"))
    return parse_keys(path.read_text(encoding="ascii"))
