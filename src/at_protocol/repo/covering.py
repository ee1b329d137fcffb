"""Covering proof: the nodes of a new tree that allow a reader to undo a change without the old tree.

Source: sync specification, "Operation inversion".
"""

from collections.abc import Iterable, Iterator

from at_protocol.data.cid import Cid
from at_protocol.repo.mst import MissingBlock, Tree
from at_protocol.repo.node import Node


def covering_nodes(tree: Tree, path: str) -> Iterator[Node]:
    """Return the search path of a changed path and, if it has an entry, the spines that merge when the entry is
    removed.

    For a deleted entry, the path down to its gap is enough. An existing entry also needs the right spine of the subtree
    on its left and the left spine of the subtree on its right, because removing the entry merges them.
    """
    last: Node | None = None
    for node in tree.search(path):
        last = node
        yield node
    key = path.encode()
    if last is None or last.height is None or key not in last.keys:
        return
    index = last.keys.index(key)
    low = last.keys[index - 1] if index else b""
    high = last.keys[index + 1] if index + 1 < len(last.keys) else None
    yield from _edge_nodes(tree, last.children[index], last.height - 1, -1, (low, key))
    yield from _edge_nodes(tree, last.children[index + 1], last.height - 1, 0, (key, high))


def missing_nodes(tree: Tree, paths: Iterable[str]) -> set[Cid]:
    """Return nodes that changes of these paths need and that the source lacks, at most one for each path. Load them and
    call again, until there are none.
    """
    missing: set[Cid] = set()
    for path in paths:
        try:
            for _ in covering_nodes(tree, path):
                pass
        except MissingBlock as one:
            missing.add(one.cid)
    return missing


def _edge_nodes(
    tree: Tree, top: Cid | None, height: int, edge: int, bounds: tuple[bytes, bytes | None]
) -> Iterator[Node]:
    """Yield the outermost nodes of a subtree on one side: ``edge`` 0 is the left side, -1 the right."""
    while top is not None:
        node = tree.child(top, height, *bounds)
        yield node
        top = node.children[edge]
        height -= 1
