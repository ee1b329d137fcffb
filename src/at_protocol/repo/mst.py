"""Merkle search tree: a root and a source of node bytes.

Source: repository specification, "MST Structure". A tree maps paths (``collection/rkey``) to record CIDs. Its shape
depends only on its content. This module does no I/O: if the source lacks a node, ``MissingBlock`` is raised, and
the caller loads the node and calls again.

Every node is checked on the way down against the constraints of its parent (level, range of keys). Reading a tree from
another server with this module therefore verifies it: a tree is canonical if ``Tree.walk`` has been consumed to the
end.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.node import EMPTY_NODE, Node, parse_node

# Returns the bytes of a block whose hash has been verified, or None (``dict.get`` can be used).
Source = Callable[[Cid], bytes | None]

EMPTY_ROOT = Cid.for_cbor(EMPTY_NODE)
_EMPTY = Node(EMPTY_ROOT, EMPTY_NODE, None, (), (), (None,))


class MissingBlock(LookupError):
    """The source lacks the block with this CID. Nothing was changed: load the block and call again."""

    def __init__(self, cid: Cid) -> None:
        super().__init__(f"block {cid} is missing")
        self.cid = cid


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree whose nodes are loaded on demand.

    ``nodes`` is an optional cache of parsed nodes. Any mapping with eviction will do, and one LRU cache can serve all
    trees of a process, because nodes are addressed by content. Without a cache, each access parses the node again.
    """

    root: Cid
    source: Source
    nodes: MutableMapping[Cid, Node] | None = None

    def load(self, cid: Cid) -> Node:
        """Return the node of a CID, checked without its context. Raises MissingBlock, Malformed."""
        if self.nodes is not None:
            cached = self.nodes.get(cid)
            if cached is not None:
                return cached
        block = self.source(cid)
        if block is None:
            if cid == EMPTY_ROOT:
                return _EMPTY
            raise MissingBlock(cid)
        node = parse_node(block, cid)
        if self.nodes is not None:
            self.nodes[cid] = node
        return node

    def root_node(self) -> Node:
        """Return the root node. It has no entries only if the tree is empty."""
        node = self.load(self.root)
        if not node.keys and node.children[0] is not None:
            raise Malformed(
                "mst", str(self.root), "the root has a subtree but no entries, so it should have been trimmed"
            )
        return node

    def child(self, cid: Cid, height: int, low: bytes, high: bytes | None) -> Node:
        """Return a node below the root. It must have level ``height`` and only keys between ``low`` and ``high``."""
        node = self.load(cid)
        if height < 0:
            raise Malformed("mst", str(cid), "there is a subtree below level 0")
        if not node.keys:
            if node.children[0] is None:
                raise Malformed("mst", str(cid), "an empty node below the root")
        elif node.height != height:
            raise Malformed("mst", str(cid), f"a node has level {node.height} instead of {height}")
        elif node.keys[0] <= low or (high is not None and node.keys[-1] >= high):
            raise Malformed("mst", str(cid), "a subtree has keys outside of its gap")
        return node

    def search(self, path: str) -> Iterator[Node]:
        """Return the nodes from the root to a path's entry, or down to the null pointer where the entry would be.

        The search does not stop at a level that is too low for the path, because other verifiers continue to the null
        pointer.
        """
        key = path.encode()
        node = self.root_node()
        height = node.height or 0
        low: bytes = b""
        high: bytes | None = None
        while True:
            yield node
            index = bisect_left(node.keys, key)
            if index < len(node.keys) and node.keys[index] == key:
                return
            below = node.children[index]
            if below is None:
                return
            low = node.keys[index - 1] if index else low
            high = node.keys[index] if index < len(node.keys) else high
            height -= 1
            node = self.child(below, height, low, high)

    def get(self, path: str) -> Cid | None:
        """Return the record CID under a path, or None. Raises MissingBlock, Malformed."""
        key = path.encode()
        last = _EMPTY
        for last in self.search(path):  # noqa: B007 -- the last node is the one that knows
            pass
        index = bisect_left(last.keys, key)
        return last.values[index] if index < len(last.keys) and last.keys[index] == key else None

    def walk(self, after: str = "") -> "Walk":
        """Walk the tree in pre-order: each node, then its leftmost subtree, its first entry, the next subtree, and so
        on.
        """
        return Walk(self, after.encode())

    def entries(self, after: str = "") -> Iterator[tuple[str, Cid]]:
        """Yield ``(path, record CID)`` in key order, starting after ``after``."""
        for item in self.walk(after):
            if not isinstance(item, Node):
                yield item


class Walk:
    """Iterator over nodes and entries that can resume after a MissingBlock.

    ``next()`` returns a ``Node`` or a ``(path, CID)`` pair. If it raises MissingBlock, load the block and call
    ``next()`` again; nothing is skipped. ``next_nodes`` lists the nodes that are needed soon, so that many can be
    loaded at once. Uses memory for one path from root to leaf.
    """

    __slots__ = ("_after", "_stack", "_started", "_tree")

    def __init__(self, tree: Tree, after: bytes = b"") -> None:
        self._tree = tree
        self._after = after
        self._started = False
        # Unopened subtrees (link, level, bounds) and entries not returned yet, with the next one last.
        self._stack: list[tuple[Cid, int, bytes, bytes | None] | tuple[str, Cid]] = []

    def __iter__(self) -> "Walk":
        return self

    def __next__(self) -> Node | tuple[str, Cid]:
        if not self._started:
            node = self._tree.root_node()
            self._started = True
            self._push(node, node.height or 0, b"", None)
            return node
        if not self._stack:
            raise StopIteration
        top = self._stack[-1]
        if len(top) == 2:
            self._stack.pop()
            return top
        cid, height, low, high = top
        node = self._tree.child(cid, height, low, high)
        self._stack.pop()
        self._push(node, height, low, high)
        return node

    def _push(self, node: Node, height: int, low: bytes, high: bytes | None) -> None:
        keys, children, stack = node.keys, node.children, self._stack
        first = bisect_right(keys, self._after) if self._after else 0
        for index in range(len(keys), first - 1, -1):
            if index < len(keys):
                stack.append((_text(keys[index]), node.values[index]))
            below = children[index]
            if below is not None:
                # The subtree lies between this key and the previous one. At the edges, the bounds of the node apply.
                left = keys[index - 1] if index else low
                right = keys[index] if index < len(keys) else high
                stack.append((below, height - 1, left, right))

    def next_nodes(self, limit: int = 100) -> list[Cid]:
        """Return up to ``limit`` links to the nodes that will be opened next, in order, for prefetching."""
        if not self._started:
            return [self._tree.root]
        return [item[0] for item in reversed(self._stack) if len(item) == 4][:limit]


def _text(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        raise Malformed("mst", key, "a key is not text") from None
