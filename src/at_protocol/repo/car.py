"""CAR version 1: blocks with their CIDs in one file or message.

Source: IPLD "CARv1" and repository specification, "CAR File Serialization". A CAR is a header (DAG-CBOR ``{roots,
version: 1}``) followed by sections (``CID`` and bytes), each preceded by its length as an unsigned varint. The readers
in this module verify the hash of every block, check lengths before allocating, and accept blocks in any order, repeated
blocks and unlinked blocks.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from at_protocol.data import cbor
from at_protocol.data.cid import LENGTH, Cid
from at_protocol.failures import Malformed

MEDIA_TYPE = "application/vnd.ipld.car"

# A record has at most 1,000,000 bytes, and a node of a normal tree far fewer (sync specification, size limits). The
# higher limit allows for records that were written before there were limits.
MAX_BLOCK_BYTES = 4_000_000
MAX_HEADER_BYTES = 65_536
# Length of CIDs that every implementation accepts (data model specification, "CID formats").
_MAX_CID_BYTES = 100
# A length needs four varint bytes at these limits. The varint specification allows at most nine.
_MAX_VARINT_BYTES = 9

_CBOR_PREFIX = b"\x01\x71\x12\x20"
_RAW_PREFIX = b"\x01\x55\x12\x20"


@dataclass(frozen=True, slots=True)
class Car:
    """A CAR in memory. ``section_count`` counts repeated blocks every time; ``blocks`` holds each of them once."""

    roots: tuple[Cid, ...]
    blocks: dict[Cid, bytes]
    section_count: int

    @property
    def root(self) -> Cid:
        """The first root, which is the commit in everything that this protocol sends. Raises Malformed if there is
        none.
        """
        if not self.roots:
            raise Malformed("car", self.roots, "the file has no root")
        return self.roots[0]


def read(data: bytes, *, max_block_bytes: int = MAX_BLOCK_BYTES) -> Car:
    """Read a whole CAR and verify the hash of every block. Raises Malformed."""
    roots, at = _read_header(data)
    blocks: dict[Cid, bytes] = {}
    count = 0
    end = len(data)
    while at < end:
        length, start = _varint(data, at)
        at = start + length
        _check_length(length, max_block_bytes)
        if at > end:
            raise _bad(f"section {count + 1} is cut off: {length} bytes declared, {end - start} present")
        cid, block = _section(data[start:at])
        blocks[cid] = block
        count += 1
    return Car(roots, blocks, count)


class CarReader:
    """Incremental CAR reader: feed it chunks of any size and get the completed blocks.

    It holds one block and one chunk in memory. ``roots`` is None until the header has been read. ``offset`` is the
    position in the file after the last block that was returned. Call ``finish`` at the end of the input; it raises
    Malformed if the file was cut off.
    """

    __slots__ = ("_buffer", "_max_block_bytes", "_needed", "offset", "roots")

    def __init__(self, *, max_block_bytes: int = MAX_BLOCK_BYTES) -> None:
        self.roots: tuple[Cid, ...] | None = None
        self.offset = 0
        self._buffer = bytearray()
        self._needed = 0  # number of buffered bytes needed before parsing can continue
        self._max_block_bytes = max_block_bytes

    def feed(self, chunk: bytes) -> list[tuple[Cid, bytes]]:
        """Return the blocks completed by this chunk, each verified. Raises Malformed."""
        self._buffer += chunk
        if len(self._buffer) < self._needed:
            return []
        self._needed = 0
        data = bytes(self._buffer)
        at = 0
        blocks: list[tuple[Cid, bytes]] = []
        while (head := _whole_varint(data, at)) is not None:
            length, start = head
            if self.roots is None:
                _check_header_length(length)
            else:
                _check_length(length, self._max_block_bytes)
            if start + length > len(data):
                self._needed = start + length - at
                break
            at = start + length
            if self.roots is None:
                self.roots = _header(data[start:at])
            else:
                blocks.append(_section(data[start:at]))
        del self._buffer[:at]
        self.offset += at
        return blocks

    def finish(self) -> None:
        """Signal the end of input. Raises Malformed if the last section or the header is incomplete."""
        if self.roots is None:
            raise _bad("the file ends before its header is complete")
        if self._buffer:
            raise _bad(f"the last section is cut off: {len(self._buffer)} bytes are left over")


def write(roots: Iterable[Cid], blocks: Iterable[tuple[Cid, bytes]]) -> Iterator[bytes]:
    """Yield the chunks of a CAR: first the header, then one chunk per block in the given order."""
    header = cbor.encode({"roots": list(roots), "version": 1})
    yield encode_varint(len(header)) + header
    for cid, block in blocks:
        yield section(cid, block)


def section(cid: Cid, block: bytes) -> bytes:
    """Return one block in the form it has in a CAR."""
    return raw_section(bytes(cid), block)


def raw_section(address: bytes, block: bytes) -> bytes:
    """Do the same as ``section``, with the CID as bytes."""
    length = len(address) + len(block)
    return b"".join((_SHORT_VARINTS[length] if length < _SHORT else encode_varint(length), address, block))


def section_size(block: bytes) -> int:
    """Return how many bytes a block takes up in a CAR."""
    length = LENGTH + len(block)
    return len(_SHORT_VARINTS[length] if length < _SHORT else encode_varint(length)) + length


def encode_varint(number: int) -> bytes:
    """Encode a number as an unsigned varint: seven bits per byte, lowest first."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


# Most blocks are records and nodes smaller than this. A look-up takes an eighth of the time of counting bits.
_SHORT = 2048
_SHORT_VARINTS = tuple(encode_varint(number) for number in range(_SHORT))


def _bad(why: str) -> Malformed:
    return Malformed("car", None, why)


def _whole_varint(data: bytes, at: int) -> tuple[int, int] | None:
    """Return the varint at a position and the position after it, or None if it is incomplete."""
    number = shift = 0
    for position in range(at, min(len(data), at + _MAX_VARINT_BYTES)):
        byte = data[position]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:
                raise _bad("a length is not written in its shortest form")
            return number, position + 1
        shift += 7
    if len(data) - at >= _MAX_VARINT_BYTES:
        raise _bad("a length is longer than nine bytes")
    return None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    head = _whole_varint(data, at)
    if head is None:
        raise _bad("the input ends within a length")
    return head


def _read_header(data: bytes) -> tuple[tuple[Cid, ...], int]:
    length, start = _varint(data, 0)
    _check_header_length(length)
    end = start + length
    if end > len(data):
        raise _bad("the header is cut off")
    return _header(data[start:end]), end


def _header(encoded: bytes) -> tuple[Cid, ...]:
    header = cbor.decode(encoded)
    if not isinstance(header, dict):
        raise _bad("the header is not a map")
    if header.get("version") != 1 or isinstance(header.get("version"), bool):
        raise _bad(f"version {header.get('version')!r} of the format is not understood, only version 1")
    roots = header.get("roots")
    if not isinstance(roots, list):
        raise _bad("the header has no list of roots")
    cids = tuple(root for root in roots if isinstance(root, Cid))
    if len(cids) != len(roots):
        raise _bad("a root is not a link")
    return cids


def _check_header_length(length: int) -> None:
    if not 0 < length <= MAX_HEADER_BYTES:
        raise _bad(f"the header has {length} bytes; 1 to {MAX_HEADER_BYTES} are allowed")


def _check_length(length: int, max_block_bytes: int) -> None:
    if length == 0:
        raise _bad("a section is empty")
    if length > max_block_bytes + _MAX_CID_BYTES:
        raise _bad(f"a section has {length} bytes; a block has at most {max_block_bytes}")


def _section(content: bytes) -> tuple[Cid, bytes]:
    """Split a section into CID and block, and verify that they match."""
    address, block = content[:36], content[36:]
    prefix = address[:4]
    if prefix not in (_CBOR_PREFIX, _RAW_PREFIX):
        raise Malformed("car", address, "a block's CID is not a CIDv1 (dag-cbor or raw) with SHA-256")
    if len(address) < 36:
        raise Malformed("car", address, "a section ends within its block's CID")
    if hashlib.sha256(block).digest() != address[4:]:
        raise Malformed("car", str(Cid.from_bytes(address)), "the block's hash does not match its CID")
    return Cid.from_bytes(address), block
