"""Content identifiers: the SHA-256 hash and codec of a block of bytes (DASL CID; atproto data model, "Link").

Only one binary form is accepted, 36 bytes: version ``01``; codec ``71`` (DAG-CBOR) or ``55`` (raw bytes); ``12 20`` for
SHA-256 with 32 bytes; the digest. Only one text form is accepted, 59 characters: ``b`` and lower-case base32 without
padding. Every other kind of CID is rejected.
"""

import re
from functools import total_ordering
from hashlib import sha256
from typing import Final

from libipld import decode_multibase, encode_multibase

from at_protocol.failures import Malformed

CODEC_CBOR: Final = 0x71
CODEC_RAW: Final = 0x55
LENGTH: Final = 36

_CBOR_PREFIX = b"\x01\x71\x12\x20"
_RAW_PREFIX = b"\x01\x55\x12\x20"
_PREFIXES = frozenset({_CBOR_PREFIX, _RAW_PREFIX})
# 36 bytes are 288 bits, and 58 characters hold 290. The last character therefore carries three bits and two zeros and
# must be a multiple of four; otherwise two texts would name the same CID.
_TEXT = re.compile(r"b[a-z2-7]{57}[aeimquy4]")


def _failure_of(raw: bytes) -> Malformed:
    if raw[:1] != b"\x01":
        return Malformed("cid", raw, "not a version 1 CID")
    if raw[1:2] not in {b"\x71", b"\x55"}:
        return Malformed("cid", raw, "its codec is neither DAG-CBOR nor raw")
    if raw[2:4] != b"\x12\x20":
        return Malformed("cid", raw, "its hash is not a SHA-256 of 32 bytes")
    return Malformed("cid", raw, f"{len(raw)} bytes instead of {LENGTH}")


@total_ordering
class Cid:
    """A CID. Equality, hash and order are those of its 36 bytes. Immutable by convention (slots, for speed)."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        """Accepts the 36 bytes of the binary form. Raises Malformed."""
        if len(raw) != 36 or raw[:4] not in _PREFIXES:
            raise _failure_of(raw)
        self._raw = raw

    @classmethod
    def for_cbor(cls, encoded: bytes) -> "Cid":
        """Return the CID of an encoded record, tree node or commit."""
        return cls(_CBOR_PREFIX + sha256(encoded).digest())

    @classmethod
    def for_raw(cls, content: bytes) -> "Cid":
        """Return the CID of a blob's bytes."""
        return cls(_RAW_PREFIX + sha256(content).digest())

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Cid":
        """Parse the binary form without any prefix. Raises Malformed."""
        return cls(bytes(raw))

    @classmethod
    def parse(cls, text: str) -> "Cid":
        """Parse the text form. Raises Malformed."""
        if _TEXT.fullmatch(text) is None:
            raise Malformed("cid", text, "not b and 58 characters of lower-case base32")
        return cls(decode_multibase(text)[1])

    @property
    def codec(self) -> int:
        """0x71 (DAG-CBOR) or 0x55 (raw bytes)."""
        return self._raw[1]

    @property
    def digest(self) -> bytes:
        """The 32 bytes of the hash."""
        return self._raw[4:]

    def names(self, content: bytes) -> bool:
        """Whether this is the CID of these bytes."""
        return sha256(content).digest() == self._raw[4:]

    def __bytes__(self) -> bytes:
        return self._raw

    def __str__(self) -> str:
        text: str = encode_multibase("b", self._raw)
        return text

    def __repr__(self) -> str:
        return f"Cid({self})"

    def __hash__(self) -> int:
        return hash(self._raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cid) and self._raw == other._raw

    def __lt__(self, other: "Cid") -> bool:
        return self._raw < other._raw
