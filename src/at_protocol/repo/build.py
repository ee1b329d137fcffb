"""Build a whole tree from sorted entries in one pass.

The result is the same tree as inserting the entries in any order (repository specification, "MST Structure").
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.node import MAX_HEIGHT, MAX_KEY_BYTES, Node, key_height, make_node


@dataclass(frozen=True, slots=True)
class BuiltTree:
    """A complete tree: its root and all nodes."""

    root: Cid
    blocks: dict[Cid, bytes]


class _Level:
    """The node being filled on one level. It has as many children as keys; the last child is added when it is closed."""

    __slots__ = ("children", "keys", "values")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: list[Cid] = []
        self.children: list[Cid | None] = []


def build(entries: Iterable[tuple[str, Cid]]) -> BuiltTree:
    """Build the tree of ``(path, record CID)`` pairs, which must be in strictly increasing order of path.

    Raises Malformed if they are not, or if a path is empty or too long.
    """
    root: Cid | None = None
    blocks: dict[Cid, bytes] = {}
    for node in build_nodes(entries):
        root = node.cid
        blocks[node.cid] = node.block
    if root is None:
        raise AssertionError
    return BuiltTree(root, blocks)


def build_nodes(entries: Iterable[tuple[str, Cid]]) -> Iterator[Node]:
    """Yield the nodes of the tree as they become complete, the root last. Uses memory for one path from root to leaf."""
    levels = [_Level()]
    previous = b""
    for path, value in entries:
        key = path.encode()
        if key <= previous:
            raise Malformed("mst", path, "entries must come in strictly increasing order of path")
        if len(key) > MAX_KEY_BYTES:
            raise Malformed("mst", path, f"a path has at most {MAX_KEY_BYTES} bytes")
        previous = key
        height = key_height(key)
        if height > MAX_HEIGHT:
            raise Malformed("mst", path, f"the key would need a tree of {height} levels")
        while len(levels) <= height:
            levels.append(_Level())
        child: Cid | None = None
        for level in range(height):
            node = _close(levels, level, child)
            if node is not None:
                yield node
                child = node.cid
        top = levels[height]
        top.keys.append(key)
        top.values.append(value)
        top.children.append(child)
    child = None
    for level in range(len(levels) - 1):
        node = _close(levels, level, child)
        if node is not None:
            yield node
            child = node.cid
    top = levels[-1]
    yield make_node(len(levels) - 1, top.keys, top.values, [*top.children, child])


def _close(levels: list[_Level], level: int, child: Cid | None) -> Node | None:
    """Complete the node of a level with its last child. Returns None for an empty node."""
    closed_level = levels[level]
    if not closed_level.keys and child is None:
        return None
    levels[level] = _Level()
    return make_node(level, closed_level.keys, closed_level.values, [*closed_level.children, child])
