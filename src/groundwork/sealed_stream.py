"""Encryption of long values with a passphrase, in chunks, so that values of any length need little memory.

scrypt (RFC 7914) turns a passphrase into a master key. Each value has its own key, derived from the master key, a
random salt and the value's name (HKDF, RFC 5869), so a value stored under another name cannot be decrypted. A stream is
``magic (4) | salt (16) | chunks``. A chunk is 64 KiB encrypted with AES-256-GCM and the nonce ``counter (11) | last
(1)``, so chunks that were swapped, left out or cut off cannot be decrypted (the STREAM construction of Hoang,
Reyhanitabar, Rogaway and Vizár).
"""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from groundwork.sealing import CannotUnseal

MAGIC = b"OMS1"
SALT_BYTES = 16
PIECE_BYTES = 64 * 1024
_TAG_BYTES = 16
_KEY_BYTES = 32

# 64 MiB and about 150 ms per guess (RFC 7914 2: N is the cost of processor and memory).
_SCRYPT_N = 1 << 16
_SCRYPT_R = 8
_SCRYPT_P = 1


def master_key(passphrase: str, salt: bytes) -> bytes:
    """Derive the master key from a passphrase. Takes a sixth of a second, so do not call it on the event loop."""
    return Scrypt(salt=salt, length=_KEY_BYTES, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P).derive(passphrase.encode())


def keyed_name(master: bytes, text: str) -> bytes:
    """Return a keyed hash of 32 bytes. The same text and key give the same hash, which reveals nothing about the text."""
    return hmac.digest(master, b"groundwork.sealed_stream name\x00" + text.encode(), hashlib.sha256)


def sealed_size(size: int) -> int:
    """Return the size in bytes that a value of this size has when sealed."""
    pieces = max(1, -(-size // PIECE_BYTES))
    return len(MAGIC) + SALT_BYTES + size + pieces * _TAG_BYTES


class SealingStream:
    """Seals one value: call ``feed`` with its bytes, then ``finish``, and concatenate everything that they return."""

    def __init__(self, master: bytes, name: str) -> None:
        salt = os.urandom(SALT_BYTES)
        self._cipher = _cipher(master, salt, name)
        self._pending = bytearray()
        self._counter = 0
        self._header = MAGIC + salt

    def feed(self, data: bytes) -> bytes:
        """Return the next part of the sealed value, which is often empty."""
        self._pending += data
        sealed = [self._header]
        self._header = b""
        # The last chunk is sealed differently, so a full chunk waits until more data follows.
        while len(self._pending) > PIECE_BYTES:
            sealed.append(self._seal(bytes(self._pending[:PIECE_BYTES]), is_last=False))
            del self._pending[:PIECE_BYTES]
        return b"".join(sealed)

    def finish(self) -> bytes:
        """Return the end of the sealed value."""
        header, self._header = self._header, b""
        return header + self._seal(bytes(self._pending), is_last=True)

    def _seal(self, piece: bytes, *, is_last: bool) -> bytes:
        nonce = _nonce(self._counter, is_last=is_last)
        self._counter += 1
        return self._cipher.encrypt(nonce, piece, None)


class OpeningStream:
    """Opens one value. The bytes that ``feed`` returns are authentic, but only ``finish`` proves that the value is
    complete.

    Both raise CannotUnseal.
    """

    def __init__(self, master: bytes, name: str) -> None:
        self._master = master
        self._name = name
        self._cipher: AESGCM | None = None
        self._pending = bytearray()
        self._counter = 0

    def feed(self, data: bytes) -> bytes:
        """Return the next part of the value, which is often empty."""
        self._pending += data
        opened = []
        if self._cipher is None:
            if len(self._pending) < len(MAGIC) + SALT_BYTES:
                return b""
            self._begin()
        while len(self._pending) > PIECE_BYTES + _TAG_BYTES:
            opened.append(self._open(bytes(self._pending[: PIECE_BYTES + _TAG_BYTES]), is_last=False))
            del self._pending[: PIECE_BYTES + _TAG_BYTES]
        return b"".join(opened)

    def finish(self) -> bytes:
        """Return the end of the value."""
        if self._cipher is None:
            raise CannotUnseal("the sealed value is cut off")
        return self._open(bytes(self._pending), is_last=True)

    def _begin(self) -> None:
        header = bytes(self._pending[: len(MAGIC) + SALT_BYTES])
        if header[: len(MAGIC)] != MAGIC:
            raise CannotUnseal("this is not a sealed value")
        self._cipher = _cipher(self._master, header[len(MAGIC) :], self._name)
        del self._pending[: len(header)]

    def _open(self, piece: bytes, *, is_last: bool) -> bytes:
        nonce = _nonce(self._counter, is_last=is_last)
        self._counter += 1
        if self._cipher is None:
            raise AssertionError
        try:
            return self._cipher.decrypt(nonce, piece, None)
        except InvalidTag:
            raise CannotUnseal("the sealed value was changed or cut off, or the passphrase is wrong") from None


def _cipher(master: bytes, salt: bytes, name: str) -> AESGCM:
    info = b"groundwork.sealed_stream\x00" + name.encode()
    return AESGCM(HKDF(SHA256(), length=_KEY_BYTES, salt=salt, info=info).derive(master))


def _nonce(counter: int, *, is_last: bool) -> bytes:
    return counter.to_bytes(11, "big") + bytes([is_last])
