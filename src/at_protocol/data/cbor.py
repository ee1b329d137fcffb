"""Fast DAG-CBOR: the compiled codec ``cbrrr`` with this protocol's limits added, or the pure Python codec if it is
missing.

``at_protocol.data.cbor_pure`` is the definition. The compiled codec is trusted for what it checks (heads, lengths,
key order, UTF-8, tags). It accepts some things that the protocol does not: floats, unsigned 64-bit integers, and any
depth, size and key. Therefore:

- before decoding, one pass in C finds the bytes that could be the head of a container, a float or a large integer.
  Nearly every record has so few of them that no limit can be exceeded; if there are more, the decoded value is walked.
- before encoding, the value is walked.
- if the compiled codec rejects something, the pure codec decides: it either accepts it or gives the reason.
"""

import re
from collections.abc import Callable
from typing import Any

from at_protocol.data import cbor_pure
from at_protocol.data.cid import Cid
from at_protocol.data.model import MAX_DEPTH, MAX_ENTRIES, MAX_INTEGER, MAX_KEY_BYTES, MIN_INTEGER, Value
from at_protocol.failures import Malformed

__all__ = ["IS_COMPILED", "Value", "decode", "decode_first", "encode"]

_compiled_decode: Callable[..., Any] | None
_compiled_encode: Callable[..., Any] | None
try:
    from cbrrr import _cbrrr
except ImportError:  # no wheel for this platform, and no compiler to build one
    _compiled_decode = _compiled_encode = None
else:
    _compiled_decode, _compiled_encode = _cbrrr.decode_dag_cbor, _cbrrr.encode_dag_cbor

IS_COMPILED = _compiled_decode is not None

# Heads of lists and maps; of eight-byte integers (also ';' and ESC in text); of floats. Each of these bytes begins its
# pattern below, so that the search jumps from one to the next.
_SUSPECTS = frozenset({0x1B, 0x3B, 0xFB, *range(0x80, 0x9C), *range(0xA0, 0xBC)})
_HARMLESS = bytes(byte for byte in range(256) if byte not in _SUSPECTS)
_NO_CONTAINERS = bytes({*range(256)} - {*range(0x80, 0xC0)})
_BEYOND_INT64 = (re.compile(rb"\x1b[\x80-\xff]"), re.compile(rb"\x3b[\x80-\xff]"))
# The compiled codec allocates a list of the declared length at once, so each nested list with a large declared length
# costs (declared length * 8) bytes even without content. Above this bound, the pure codec takes over, which does not
# allocate in advance.
_MAX_PROMISED_BYTES = 64 * 1024 * 1024
# An input this short has at most 1365 heads of three bytes, which declare 22 MB in total.
_SMALL_BYTES = 4096


def decode(encoded: bytes) -> Value:
    """Decode exactly one item. Raises Malformed (kind ``cbor``) for anything else, including trailing bytes."""
    value, end = decode_first(encoded)
    if end != len(encoded):
        raise Malformed("cbor", encoded[end : end + 20], "bytes follow the item")
    return value


def decode_first(encoded: bytes, offset: int = 0) -> tuple[Value, int]:
    """Return the item that begins at ``offset``, and the offset after it (event stream frames hold two items in a row)."""
    if _compiled_decode is None:
        return cbor_pure.decode_first(encoded, offset)
    rest = encoded[offset:] if offset else encoded
    suspect_bytes = rest.translate(None, _HARMLESS)
    plain = not _may_break_limits(rest, suspect_bytes)
    if len(rest) > _SMALL_BYTES and _max_allocated_bytes(suspect_bytes, len(rest)) > _MAX_PROMISED_BYTES:
        return cbor_pure.decode_first(encoded, offset)
    try:
        value, size = _compiled_decode(rest, Cid, False)
        if not plain or size > MAX_KEY_BYTES:
            _check(value)
    except ValueError:
        return cbor_pure.decode_first(encoded, offset)
    return value, offset + size


def has_more_containers(encoded: bytes, limit: int) -> bool:
    """Whether an item has more lists and maps than this, without decoding it. Any result is possible for invalid items."""
    if len(encoded) <= limit or len(encoded.translate(None, _NO_CONTAINERS)) <= limit:
        return False
    at = count = 0
    while at < len(encoded) and count <= limit:
        major, argument = encoded[at] >> 5, encoded[at] & 31
        at += 1
        if 24 <= argument <= 27:
            end = at + (1 << argument - 24)
            argument, at = int.from_bytes(encoded[at:end], "big"), end
        if major in {2, 3}:
            at += argument
        count += major in {4, 5}
    return count > limit


def _may_break_limits(encoded: bytes, suspect_bytes: bytes) -> bool:
    return (
        len(suspect_bytes) > MAX_DEPTH
        or b"\xfb" in suspect_bytes
        or (b"\x1b" in suspect_bytes and _BEYOND_INT64[0].search(encoded) is not None)
        or (b"\x3b" in suspect_bytes and _BEYOND_INT64[1].search(encoded) is not None)
    )


def _max_allocated_bytes(suspect_bytes: bytes, size: int) -> int:
    """Upper bound of what the declared list lengths make the compiled codec allocate: eight bytes per entry, all
    nested.
    """
    long = suspect_bytes.count(b"\x99") + suspect_bytes.count(b"\x9a") + suspect_bytes.count(b"\x9b")
    return 8 * size * long + 2_100 * suspect_bytes.count(b"\x98") + 256 * len(suspect_bytes)


def encode(value: Value) -> bytes:
    """Return the value's only valid encoding. Raises Malformed for values outside the data model, Misuse for foreign
    types.
    """
    if _compiled_encode is None:
        return cbor_pure.encode(value)
    try:
        _check(value)
        encoded: bytes = _compiled_encode(value, Cid, False)
    except (ValueError, TypeError, AttributeError):  # AttributeError: a key that is not text
        return cbor_pure.encode(value)
    return encoded


def _check(value: object) -> None:
    """Raise ValueError unless depth, sizes, keys and numbers are within the limits. Goes level by level, without
    recursion.

    One function in spite of its depth: every record that is written passes through here, and a call for each container
    makes it a fifth slower.
    """
    layer: list[Any] = [value]
    if type(value) is not dict and type(value) is not list:
        layer = [[value]]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for container in layer:
            if len(container) > MAX_ENTRIES:
                raise ValueError("entries")
            if type(container) is dict:
                for key in container:
                    # A character has at most four bytes, so a key of up to a quarter of the limit cannot exceed it.
                    if len(key) > MAX_KEY_BYTES // 4 and len(key.encode()) > MAX_KEY_BYTES:
                        raise ValueError("key")
                entries = container.values()
            else:
                entries = container
            for entry in entries:
                kind = type(entry)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    below.append(entry)
                elif kind is int:
                    if not MIN_INTEGER <= entry <= MAX_INTEGER:
                        raise ValueError("integer")
                elif kind is float:
                    raise ValueError("float")
        if not below:
            return
        layer = below
    raise ValueError("depth")
