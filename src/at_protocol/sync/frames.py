"""Frames of an event stream: a header map and a payload map, back to back in one binary WebSocket message.

Source: event stream specification, "Framing" and "Sequencing". The header of a message is ``{op: 1, t: "#commit"}``;
that of an error is ``{op: -1}``. Frames with an unknown ``op`` or ``t`` are skipped; broken frames end the connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import libipld

from at_protocol.data import cbor
from at_protocol.data.model import Value
from at_protocol.failures import Malformed, Misuse

MAX_FRAME_BYTES = 5_000_000
# Maximum number of operations in a commit (repository specification, "Sync").
MAX_OPERATIONS = 200
# Each item of a payload becomes a Python object of up to fifty times its encoded size, so five megabytes of empty lists
# would take seconds and hundreds of megabytes. A commit of 200 operations has 2,000 items. Frames below a certain size
# are not counted, because they cannot have many items.
MAX_ITEMS = 10_000
_COUNTED_FROM_BYTES = 16_384
# Sequence numbers must remain exact when read as JSON numbers (event stream specification, "Sequencing").
MAX_SEQ = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Frame:
    """A message frame. ``kind`` is the header's ``t``, including the ``#``."""

    kind: str
    payload: dict[str, Value]


@dataclass(frozen=True, slots=True)
class ErrorFrame:
    """An error message; the server closes the connection after it."""

    error: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class UnknownFrame:
    """A frame of a kind that this version of the protocol does not define. Skip it."""

    op: int


@dataclass(frozen=True, slots=True)
class UnsequencedFrame:
    """A message without its sequence number: the bytes before and after the number.

    The number is assigned inside the transaction that stores the message. Inserting it is a concatenation.
    """

    head: bytes
    tail: bytes

    def with_seq(self, seq: int) -> bytes:
        """Return the complete frame with this sequence number."""
        if not 0 < seq <= MAX_SEQ:
            raise Misuse(f"sequence number {seq} is out of range")
        return b"".join((self.head, cbor.encode(seq), self.tail))


@dataclass(frozen=True, slots=True)
class FrameSummary:
    """Unverified summary of a frame: enough to decide whether to read it.

    ``kind`` is empty for errors and unknown frames. ``paths`` are the paths of a commit's operations.
    """

    kind: str
    did: str
    seq: int
    paths: tuple[str, ...]


def encode_message(kind: str, payload: Mapping[str, Value]) -> bytes:
    """Encode a message frame."""
    return _header(kind) + cbor.encode(dict(payload))


def encode_unsequenced(kind: str, payload: Mapping[str, Value]) -> UnsequencedFrame:
    """Encode a message frame without its ``seq``, which ``payload`` must not contain."""
    if "seq" in payload:
        raise Misuse("the payload has a sequence number already")
    if len(payload) >= 23:  # the map head must be a single byte
        raise Misuse("the message has too many fields")
    # DAG-CBOR sorts keys by length and then by bytes, which determines the position of `seq`. The keys before and after
    # it are each encoded as a map, whose one-byte head is dropped.
    before = {key: value for key, value in payload.items() if _key_order(key) < _SEQ_ORDER}
    behind = {key: value for key, value in payload.items() if key not in before}
    size = bytes((0xA0 + len(payload) + 1,))
    head = b"".join((_header(kind), size, cbor.encode(before)[1:], _SEQ_KEY))
    return UnsequencedFrame(head, cbor.encode(behind)[1:])


def _key_order(key: str) -> tuple[int, bytes]:
    encoded = key.encode()
    return len(encoded), encoded


_SEQ_ORDER = _key_order("seq")
_SEQ_KEY = cbor.encode("seq")


def encode_error(error: str, message: str | None = None) -> bytes:
    """Encode an error frame. Close the connection after sending it."""
    payload: dict[str, Value] = {"error": error}
    if message is not None:
        payload["message"] = message
    return _ERROR_HEADER + cbor.encode(payload)


def decode(data: bytes) -> Frame | ErrorFrame | UnknownFrame:
    """Read a frame. Raises Malformed if it is not exactly two maps."""
    if len(data) > MAX_FRAME_BYTES:
        raise _bad(len(data), f"a frame has at most {MAX_FRAME_BYTES} bytes")
    _check_items(data)
    header, start = cbor.decode_first(data)
    if not isinstance(header, dict):
        raise _bad(header, "the header is not a map")
    if start == len(data):
        raise _bad(header, "the payload is missing")
    payload, end = cbor.decode_first(data, start)
    if end != len(data):
        raise _bad(len(data) - end, "bytes follow the payload")
    if not isinstance(payload, dict):
        raise _bad(payload, "the payload is not a map")
    op = header.get("op")
    if type(op) is not int:
        raise _bad(op, "the header's op is missing or not a number")
    if op == -1:
        error, message = payload.get("error"), payload.get("message")
        if not isinstance(error, str):
            raise _bad(error, "an error frame must have an error name")
        return ErrorFrame(error, message if isinstance(message, str) else None)
    if op != 1:
        return UnknownFrame(op)
    kind = header.get("t")
    if not isinstance(kind, str):
        raise _bad(kind, "the header's t is missing or not text")
    return Frame(kind, payload)


def summarize(data: bytes) -> FrameSummary:
    """Summarize a frame without checking it, more than ten times as fast as reading it.

    Use this only to decide whether to skip a frame; code that acts on a frame reads it with ``decode``. Raises
    Malformed if the frame cannot even be summarized.
    """
    if len(data) > MAX_FRAME_BYTES:
        raise _bad(len(data), f"a frame has at most {MAX_FRAME_BYTES} bytes")
    _check_items(data)
    try:
        items = libipld.decode_dag_cbor_multi(data)
    except (ValueError, RecursionError):
        raise _bad(data[:32], "not DAG-CBOR") from None
    if len(items) != 2 or not isinstance(items[0], dict) or not isinstance(items[1], dict):
        raise _bad(data[:32], "not a header and a payload")
    header, payload = items
    kind = header.get("t")
    if header.get("op") != 1 or not isinstance(kind, str):
        return FrameSummary("", "", 0, ())
    did = payload.get("repo" if kind == "#commit" else "did", "")
    seq = payload.get("seq", 0)
    operations = payload.get("ops", ()) if kind == "#commit" else ()
    if isinstance(operations, list) and len(operations) > MAX_OPERATIONS:
        raise _bad(len(operations), f"a commit has at most {MAX_OPERATIONS} operations")
    try:
        paths = tuple(operation["path"] for operation in operations)
    except (TypeError, KeyError):
        raise _bad(data[:32], "an operation without a path") from None
    if (
        not isinstance(did, str)
        or type(seq) is not int
        or not 0 <= seq <= MAX_SEQ
        or not all(isinstance(path, str) for path in paths)
    ):
        raise _bad(data[:32], "repo, seq or a path has the wrong type")
    return FrameSummary(kind, did, seq, paths)


def _check_items(data: bytes) -> None:
    """Reject a frame that has more items than any valid message. Only heads are read; nothing is decoded."""
    size = len(data)
    if size < _COUNTED_FROM_BYTES:
        return
    position = count = 0
    try:
        while position < size:
            count += 1
            head = data[position]
            position += 1
            argument = head & 31
            if argument >= 24:
                width = _WIDTHS[argument]
                argument = int.from_bytes(data[position : position + width])
                position += width
            # The content of bytes and text is skipped. The contents of a list, a map or a tag are the items that
            # follow.
            if head >> 5 in (2, 3):
                position += argument
            if count > MAX_ITEMS:
                raise _bad(size, f"a frame has at most {MAX_ITEMS} items")
    except KeyError:
        raise _bad(data[:32], "not DAG-CBOR") from None


# How many bytes of a head follow its first byte (RFC 8949, section 3).
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}

_ERROR_HEADER = cbor.encode({"op": -1})


@lru_cache(maxsize=16)
def _header(kind: str) -> bytes:
    return cbor.encode({"t": kind, "op": 1})


def _bad(value: object, why: str) -> Malformed:
    return Malformed("frame", value, why)
