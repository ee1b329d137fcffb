"""Records that no server writes today but that old repositories contain, as bytes and as JSON."""

from typing import Any

from at_protocol.data.cid import Cid

_PREFIX = "org.example.note"
_TYPE = b"e$typep" + _PREFIX.encode()
OLD_LINK = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"
_OLD_LINK = bytes.fromhex("1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


def _deep(levels: int) -> tuple[bytes, Any]:
    value: Any = []
    for _ in range(levels - 2):
        value = [value]
    return b"\xa2ad" + b"\x81" * (levels - 2) + b"\x80" + _TYPE, {"d": value, "$type": _PREFIX}


LONG = "k" * 9000
LEGACY_RECORDS: dict[str, tuple[bytes, Any]] = {
    "longkey": (
        b"\xa2" + _TYPE + b"\x79" + len(LONG).to_bytes(2, "big") + LONG.encode() + b"\x01",
        {LONG: 1, "$type": _PREFIX},
    ),
    "deep": _deep(60),
    "oldlink": (b"\xa2aa\xd8\x2a\x58\x23\x00" + _OLD_LINK + _TYPE, {"a": {"$link": OLD_LINK}, "$type": _PREFIX}),
    "float": (b"\xa2aa\xfb\x3f\xf8" + bytes(6) + _TYPE, {"a": 1.5, "$type": _PREFIX}),
}
"""By record key: records that lenient readers can decode."""

UNREADABLE: dict[str, bytes] = {"bottomless": _deep(2000)[0], "list": b"\x81\x01", "nothing": b"not CBOR at all"}
"""By record key: records that are stored and exported as bytes, but cannot be decoded."""

LEGACY_PATHS = ("notes/one", "org.example.note/..")
"""Paths that are not ``collection/rkey``, but that the reference PDS accepts."""


def cid_of(block: bytes) -> Cid:
    return Cid.for_cbor(block)
