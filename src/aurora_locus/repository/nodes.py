"""Cache of tree nodes: one bounded cache for all repositories, because a node's CID is determined by its content."""

from collections.abc import Callable, Collection, Iterator, MutableMapping, Sequence
from typing import Any, TypeVar, cast

from at_protocol.data.cid import Cid
from at_protocol.repo.covering import missing_nodes
from at_protocol.repo.mst import MissingBlock, Tree
from at_protocol.repo.node import Node
from at_protocol.syntax.did import Did
from aurora_locus.repository.reader import load_blocks
from groundwork.database.transaction import Database

T = TypeVar("T")

# A parsed node takes about five times as much memory as its bytes (keys, CIDs, tuples), plus a fixed overhead.
_NODE_BYTES = 400
_PARSED_SIZE_FACTOR = 5

_LOADED_AT_ONCE = 100

# Without paths, each level of the tree takes a round.
_MAX_ROUNDS = 1000


class NodeCache(MutableMapping[Cid, Node]):
    """Nodes up to about this many bytes, in two generations: nodes in use move into the young one; when that is full,
    the old one is dropped and the young one becomes the old one.

    A writer makes about twenty look-ups per commit. With two generations, each takes one dictionary access; an exact
    LRU order would take several.
    """

    def __init__(self, max_bytes: int) -> None:
        self._limit = max_bytes // 2
        self._size = 0
        self._young: dict[Cid, Node] = {}
        self._old: dict[Cid, Node] = {}

    def get(self, key: Cid, default: Any = None) -> Any:
        node = self._young.get(key)
        if node is None:
            node = self._old.get(key)
            if node is None:
                return default
            self[key] = node
        return node

    def __getitem__(self, key: Cid) -> Node:
        node = self.get(key)
        if node is None:
            raise KeyError(key)
        return cast("Node", node)

    def __setitem__(self, key: Cid, node: Node) -> None:
        if key in self._young:
            return
        self._young[key] = node
        self._size += _NODE_BYTES + _PARSED_SIZE_FACTOR * len(node.block)
        if self._size > self._limit:
            self._old, self._young, self._size = self._young, {}, 0

    def __delitem__(self, key: Cid) -> None:
        # Only the young generation counts its size, and evicting a node too early is harmless.
        if self._young.pop(key, None) is None:
            del self._old[key]

    def __iter__(self) -> Iterator[Cid]:
        return iter({**self._old, **self._young})

    def __len__(self) -> int:
        return len(self._old.keys() | self._young.keys())


async def with_nodes(
    db: Database, cache: NodeCache, did: Did, root: Cid, work: Callable[[Tree], T], changed_paths: Collection[str] = ()
) -> T:
    """Run ``work`` on a repository's tree. If a node is missing, load it together with those for the paths that ``work``
    changes, about one level of the tree at a time, and start ``work`` again.

    ``work`` must be pure, because it may run several times.
    """
    loaded: dict[Cid, bytes] = {}
    tree = Tree(root, loaded.get, cache)
    for _ in range(_MAX_ROUNDS):
        try:
            return work(tree)
        except MissingBlock as missing:
            needed = {missing.cid}
        while needed:
            loaded |= await _load_nodes(db, did, list(needed))
            needed = missing_nodes(tree, changed_paths)
    raise DamagedRepository(did, root)


async def _load_nodes(db: Database, did: Did, cids: Sequence[Cid]) -> dict[Cid, bytes]:
    loaded: dict[Cid, bytes] = {}
    for start in range(0, len(cids), _LOADED_AT_ONCE):
        loaded |= await load_blocks(db, did, cids[start : start + _LOADED_AT_ONCE])
    for cid in cids:
        if cid not in loaded:
            raise DamagedRepository(did, cid)
    return loaded


class DamagedRepository(Exception):
    """A block that the repository's tree refers to is missing. This is a bug or a damaged disk, never the caller's
    fault.
    """

    def __init__(self, did: Did, cid: Cid) -> None:
        super().__init__(f"the block {cid} of {did} is missing; run `openmeet pds verify` for details")
        self.did = did
        self.cid = cid
