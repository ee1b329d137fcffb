"""Encryption of long values under a passphrase, in chunks, so that any length takes little memory.

A passphrase becomes a master key by scrypt (RFC 7914); each value has a key of its own, derived from the master key, a
random salt and the value's name (HKDF, RFC 5869), so that a value under another name does not open. A stream is ``magic
(4) | salt (16) | chunks``; a chunk is 64 KiB under AES-256-GCM with the nonce ``counter (11) | last (1)``: chunks that
were swapped, left out or cut off do not open (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár).
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

# 64 MiB and some 150 ms per guess (RFC 7914 2: N is the cost of processor and memory).
_SCRYPT_N = 1 << 16
_SCRYPT_R = 8
_SCRYPT_P = 1


def master_key(passphrase: str, salt: bytes) -> bytes:
    """Derive the master key from a passphrase; takes a sixth of a second, so not on the event loop."""
    return Scrypt(salt=salt, length=_KEY_BYTES, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P).derive(passphrase.encode())


def keyed_name(master: bytes, text: str) -> bytes:
    """A keyed hash of 32 bytes: the same for the same text under one key, and it reveals nothing of the text."""
    return hmac.digest(master, b"groundwork.sealed_stream name\x00" + text.encode(), hashlib.sha256)


def sealed_size(size: int) -> int:
    """How many bytes a value of this size takes when it is sealed."""
    pieces = max(1, -(-size // PIECE_BYTES))
    return len(MAGIC) + SALT_BYTES + size + pieces * _TAG_BYTES


class SealingStream:
    """Seals one value: ``feed`` its bytes, then ``finish``; concatenate everything that they return."""

    def __init__(self, master: bytes, name: str) -> None:
        salt = os.urandom(SALT_BYTES)
        self._cipher = _cipher(master, salt, name)
        self._pending = bytearray()
        self._counter = 0
        self._header = MAGIC + salt

    def feed(self, data: bytes) -> bytes:
        """The next part of the sealed value; often empty."""
        self._pending += data
        sealed = [self._header]
        self._header = b""
        # The last chunk is sealed differently, so a full one waits until more data follows.
        while len(self._pending) > PIECE_BYTES:
            sealed.append(self._seal(bytes(self._pending[:PIECE_BYTES]), is_last=False))
            del self._pending[:PIECE_BYTES]
        return b"".join(sealed)

    def finish(self) -> bytes:
        """The end of the sealed value."""
        header, self._header = self._header, b""
        return header + self._seal(bytes(self._pending), is_last=True)

    def _seal(self, piece: bytes, *, is_last: bool) -> bytes:
        nonce = _nonce(self._counter, is_last=is_last)
        self._counter += 1
        return self._cipher.encrypt(nonce, piece, None)


class OpeningStream:
    """Opens one value; what ``feed`` returns is authentic, but only ``finish`` proves that it is complete.

    Both raise CannotUnseal.
    """

    def __init__(self, master: bytes, name: str) -> None:
        self._master = master
        self._name = name
        self._cipher: AESGCM | None = None
        self._pending = bytearray()
        self._counter = 0

    def feed(self, data: bytes) -> bytes:
        """The next part of the value; often empty."""
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
        """The end of the value."""
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
            raise CannotUnseal("the sealed value was changed or cut off, or the passphrase is another") from None


def _cipher(master: bytes, salt: bytes, name: str) -> AESGCM:
    info = b"groundwork.sealed_stream\x00" + name.encode()
    return AESGCM(HKDF(SHA256(), length=_KEY_BYTES, salt=salt, info=info).derive(master))


def _nonce(counter: int, *, is_last: bool) -> bytes:
    return counter.to_bytes(11, "big") + bytes([is_last])
