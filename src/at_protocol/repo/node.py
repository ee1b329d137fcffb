"""Node of the Merkle search tree: encoding, parsing and the rules of canonical form.

Source: repository specification, "MST Structure". A node is the DAG-CBOR map ``{e: [entries], l: link|null}``, and an
entry is ``{k: key suffix, p: prefix length, t: link|null, v: link}``. The grammar is so rigid that it is matched byte
by byte. A node that this module parses is canonical, so no other CID can have the same content.

Within a node, keys strictly increase, every key belongs to the height of the node, and the prefix shared with the
previous key is as long as possible. The rules between nodes (a child is one level lower, its keys are within the gap)
are checked by ``at_protocol.repo.mst`` on the way down.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import libipld

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed

# A repository of ten million records has nodes of about 60 entries and a height of 12. An attacker can choose keys that
# make larger nodes; they must not cost a reader more than this ("Security considerations: MST structure").
MAX_ENTRIES = 256
MAX_HEIGHT = 32
MAX_NODE_BYTES = 1_000_000
MAX_KEY_BYTES = 1024

EMPTY_NODE = b"\xa2ae\x80al\xf6"

_LINK = b"\xd8\x2a\x58\x25\x00"  # tag 42 over 37 bytes, the first of which is 0
_LINK_LENGTH = len(_LINK) + 36
_NULL = 0xF6
_VALUE = b"av" + _LINK


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node. ``children`` has one more item than ``keys``; a child is left of the key with the same index.

    ``height`` is None for a node without entries, because only its parent knows the height. ``block`` is the node's
    only valid encoding. It is kept so that an unchanged node is never encoded again.
    """

    cid: Cid
    block: bytes
    height: int | None
    keys: tuple[bytes, ...]
    values: tuple[Cid, ...]
    children: tuple[Cid | None, ...]


def key_height(key: bytes) -> int:
    """Return the level of a key: the number of pairs of leading zero bits of its SHA-256 (fanout 4)."""
    digest = hashlib.sha256(key).digest()
    first = digest[0]
    if first:  # true for all but one key in 256
        return (8 - first.bit_length()) >> 1
    number = int.from_bytes(digest, "big")
    return (256 - number.bit_length()) >> 1


def shared_prefix(left: bytes, right: bytes) -> int:
    """Return how many leading bytes two keys have in common."""
    limit = min(len(left), len(right))
    if left[:limit] == right[:limit]:
        return limit
    low, high = 0, limit  # the first `low` bytes are equal, the first `high` bytes are not
    while high - low > 1:
        middle = (low + high) >> 1
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _head(major: int, number: int) -> bytes:
    """Return the shortest CBOR head. Lengths in a node are below 65,536."""
    if number < 24:
        return bytes((major | number,))
    if number < 256:
        return bytes((major | 24, number))
    return bytes((major | 25, number >> 8, number & 0xFF))


# Keys are at most 1,024 bytes long, so all possible heads are precomputed.
_BYTES_HEADS = [b"\xa4ak" + _head(0x40, length) for length in range(MAX_KEY_BYTES + 1)]
_PREFIX_HEADS = [b"ap" + _head(0x00, length) + b"at" for length in range(MAX_KEY_BYTES + 1)]


def encode_node(keys: Sequence[bytes], values: Sequence[Cid], children: Sequence[Cid | None]) -> bytes:
    """Encode a node. Keys must be at most 1,024 bytes long and already in order."""
    parts = [b"\xa2ae", _head(0x80, len(keys))]
    previous = b""
    for index, key in enumerate(keys):
        shared = shared_prefix(previous, key)
        right = children[index + 1]
        parts += (
            _BYTES_HEADS[len(key) - shared],
            key[shared:],
            _PREFIX_HEADS[shared],
            b"\xf6" if right is None else _LINK + bytes(right),
            _VALUE,
            bytes(values[index]),
        )
        previous = key
    left = children[0]
    parts.append(b"al\xf6" if left is None else b"al" + _LINK + bytes(left))
    return b"".join(parts)


def make_node(height: int | None, keys: Sequence[bytes], values: Sequence[Cid], children: Sequence[Cid | None]) -> Node:
    """Create a node from its parts and compute its block and CID."""
    block = encode_node(keys, values, children)
    return Node(Cid.for_cbor(block), block, height if keys else None, tuple(keys), tuple(values), tuple(children))


def _number(block: bytes, at: int, major: int) -> tuple[int, int]:
    """Read a CBOR head of the given major type (0x00, 0x40, 0x80) in its shortest form. Returns the number and the next
    position.
    """
    first = block[at]
    number = first - major
    if 0 <= number < 24:
        return number, at + 1
    if number == 24 and block[at + 1] >= 24:
        return block[at + 1], at + 2
    if number == 25 and block[at + 1]:
        return block[at + 1] << 8 | block[at + 2], at + 3
    raise _bad(block, f"byte {at} is not the length or number expected there")


def _link(block: bytes, at: int) -> tuple[Cid, int]:
    end = at + _LINK_LENGTH
    if block[at : at + 5] != _LINK or end > len(block):
        raise _bad(block, f"byte {at} should start a link")
    return Cid(block[at + 5 : end]), end


def _link_or_null(block: bytes, at: int) -> tuple[Cid | None, int]:
    if block[at] == _NULL:
        return None, at + 1
    child, end = _link(block, at)
    if child.codec != 0x71:
        raise _bad(block, "a link to a subtree must have the dag-cbor codec")
    return child, end


def _bad(block: bytes, why: str) -> Malformed:
    return Malformed("mst node", block, why)


def _expect(block: bytes, at: int, literal: bytes) -> int:
    end = at + len(literal)
    if block[at:end] != literal:
        raise _bad(
            block, f"byte {at} should start {literal!r}; a node has exactly the fields e and l, an entry k, p, t, v"
        )
    return end


def parse_node(block: bytes, cid: Cid) -> Node:
    """Parse a node and check all rules that apply to a single node.

    ``cid`` must be the block's hash. This function does not check it, because the code that fetched the block has
    verified it (``car``, or our own store).

    Raises Malformed if the bytes are not the canonical encoding of a valid node.
    """
    if len(block) > MAX_NODE_BYTES:
        raise _bad(block[:32], f"a node of {len(block)} bytes is larger than any honest one")
    try:
        return _parse(block, cid)
    except IndexError:
        raise _bad(block, "the node is cut off") from None


def _parse(block: bytes, cid: Cid) -> Node:
    # This loop is most of the cost of reading trees. Rare and invalid cases are left to the functions above.
    count, at = _number(block, _expect(block, 0, b"\xa2ae"), 0x80)
    if count > MAX_ENTRIES:
        raise _bad(block[:32], f"the node has {count} entries; {MAX_ENTRIES} are allowed")
    keys: list[bytes] = []
    values: list[Cid] = []
    children: list[Cid | None] = [None]
    height: int | None = None
    previous = b""
    for _ in range(count):
        if block[at : at + 3] != b"\xa4ak":
            _expect(block, at, b"\xa4ak")
        length, at = _number(block, at + 3, 0x40)
        suffix = block[at : at + length]
        at += length
        if block[at : at + 2] != b"ap":
            _expect(block, at, b"ap")
        prefix, at = _number(block, at + 2, 0x00)
        if prefix + length > MAX_KEY_BYTES:
            raise _bad(block, f"a key has at most {MAX_KEY_BYTES} bytes")
        # At the first byte that differs from the previous key, this key must have the greater byte. If it were equal,
        # the prefix would not be as long as possible; if less, the keys would be out of order.
        if not length or prefix > len(previous) or (prefix < len(previous) and suffix[0] <= previous[prefix]):
            raise _bad(
                block, f"{suffix!r} behind {prefix} bytes of {previous!r}: not in order, or the prefix too short"
            )
        if block[at : at + 3] == b"at\xf6":
            at += 3
            children.append(None)
        else:
            child, at = _link_or_null(block, _expect(block, at, b"at"))
            children.append(child)
        if block[at : at + 7] != _VALUE:
            _expect(block, at, _VALUE)
        values.append(Cid(block[at + 7 : at + 43]))
        at += 43
        key = previous[:prefix] + suffix
        level = key_height(key)
        if level != height:
            if height is not None:
                raise _bad(block, f"key {key!r} belongs to level {level}, its node to level {height}")
            height = level
        keys.append(key)
        previous = key
    if height is not None and height > MAX_HEIGHT:
        raise _bad(block[:32], f"level {height} is higher than any honest tree")
    children[0], at = _link_or_null(block, _expect(block, at, b"al"))
    if at != len(block):
        raise _bad(block, f"{len(block) - at} bytes follow the node")
    return Node(cid, bytes(block), height, tuple(keys), tuple(values), tuple(children))


def links_of(block: bytes) -> list[tuple[bytes, bool]]:
    """Return the links of a node in pre-order, as CID bytes, and whether each one leads to a subtree. Nothing is
    checked.

    For a store that sends its own trees to readers who verify them; takes a fifth of the time of ``parse_node``.
    Raises Malformed if the fields are missing.
    """
    try:
        node = libipld.decode_dag_cbor(block)
        links: list[tuple[bytes, bool]] = [] if node["l"] is None else [(node["l"], True)]
        for entry in node["e"]:
            links.append((entry["v"], False))
            if entry["t"] is not None:
                links.append((entry["t"], True))
    except (ValueError, TypeError, KeyError):
        raise _bad(block, "these are not the fields of a node") from None
    return links
