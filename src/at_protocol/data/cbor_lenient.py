"""Lenient DAG-CBOR decoder for values from other servers that would be rejected in a new write.

A committed record keeps its bytes, because its hash is part of the tree. This module reads as much of it as possible.
Unlike ``at_protocol.data.cbor_pure``, it accepts keys of any length and in any order, up to ``MAX_DEPTH`` nested
containers, floats, ``undefined`` (as null), unsigned 64-bit integers, and links to every kind of CID (as ``{"$link":
…}``). Nothing is ever written in this form.
"""

import math
import struct
from typing import Final

from libipld import encode_multibase

from at_protocol.data.cbor_pure import head, span, text
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed

MAX_DEPTH: Final = 128
# Total of lists, maps, their entries and keys. Reading this many takes about fifty milliseconds.
MAX_ITEMS: Final = 50_000

_SIMPLE: dict[int, Value] = {0xF4: False, 0xF5: True, 0xF6: None, 0xF7: None}
_FLOATS = {0xF9: (3, ">e"), 0xFA: (5, ">f"), 0xFB: (9, ">d")}
_CID_LINK_TAG = 42
_CID_V0 = b"\x12\x20"
_CID_V0_LENGTH = 34


def decode(encoded: bytes) -> Value:
    """Decode exactly one item. The result can contain floats, which the data model does not have. Raises Malformed
    (``cbor``).
    """
    reader = _LenientReader(encoded)
    value, end = reader.item(0, MAX_DEPTH)
    if end != len(encoded):
        raise Malformed("cbor", encoded[end : end + 20], "bytes follow the item")
    return value


class _LenientReader:
    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._items_left = MAX_ITEMS

    def item(self, at: int, levels: int) -> tuple[Value, int]:
        encoded = self._encoded
        self._items_left -= 1
        if self._items_left < 0:
            raise Malformed("cbor", "", f"more than {MAX_ITEMS} values")
        if at < len(encoded) and encoded[at] >= 0xE0:
            return self._simple(at)
        major, argument, at = head(encoded, at)
        match major:
            case 0:
                return argument, at
            case 1:
                return ~argument, at
            case 2:
                end = span(encoded, at, argument)
                return bytes(encoded[at:end]), end
            case 3:
                end = span(encoded, at, argument)
                return text(encoded, at, end), end
            case 4 | 5:
                if levels == 0:
                    raise Malformed("cbor", encoded[at : at + 20], f"nested more than {MAX_DEPTH} deep")
                span(encoded, at, argument if major == 4 else 2 * argument)
                return self._list(at, argument, levels) if major == 4 else self._map(at, argument, levels)
            case _:
                return self._link(at, argument)

    def _simple(self, at: int) -> tuple[Value, int]:
        first = self._encoded[at]
        if first in _SIMPLE:
            return _SIMPLE[first], at + 1
        if first not in _FLOATS:
            raise Malformed("cbor", self._encoded[at : at + 9], "a simple value that is not assigned")
        size, form = _FLOATS[first]
        end = span(self._encoded, at, size)
        number = struct.unpack(form, self._encoded[at + 1 : end])[0]
        if not math.isfinite(number):
            raise Malformed("cbor", self._encoded[at:end], "not a finite number")
        return number, end

    def _list(self, at: int, count: int, levels: int) -> tuple[Value, int]:
        entries: list[Value] = []
        for _ in range(count):
            value, at = self.item(at, levels - 1)
            entries.append(value)
        return entries, at

    def _map(self, at: int, count: int, levels: int) -> tuple[Value, int]:
        entries: dict[str, Value] = {}
        for _ in range(count):
            name, at = self.item(at, levels - 1)
            if not isinstance(name, str):
                raise Malformed("cbor", "", "a map key is not text")
            if name in entries:
                raise Malformed("cbor", name, "a map key appears twice")
            entries[name], at = self.item(at, levels - 1)
        return entries, at

    def _link(self, at: int, tag: int) -> tuple[Value, int]:
        if tag != _CID_LINK_TAG:
            raise Malformed("cbor", tag, "only tag 42 (a link) is known")
        major, size, at = head(self._encoded, at)
        end = span(self._encoded, at, size)
        if major != 2 or self._encoded[at : at + 1] != b"\x00":
            raise Malformed("cbor", self._encoded[at : at + 20], "a link is not a byte string that begins with zero")
        raw = bytes(self._encoded[at + 1 : end])
        try:
            return Cid(raw), end
        except Malformed:
            return {"$link": _text_of(raw)}, end


def _text_of(raw: bytes) -> str:
    """Return a CID of any kind as text: base58 without a prefix for version 0, base32 for all others (multiformats
    CID).
    """
    if len(raw) == _CID_V0_LENGTH and raw.startswith(_CID_V0):
        return str(encode_multibase("z", raw)[1:])
    return str(encode_multibase("b", raw))
