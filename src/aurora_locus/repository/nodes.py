"""Tree nodes in memory: one bounded cache for all repositories, because a node is named by its content (design 4.3)."""

from collections.abc import Callable
from typing import TypeVar

from cachetools import LRUCache

from at_protocol.data.cid import Cid
from at_protocol.repo.mst import MissingBlock, Tree
from at_protocol.repo.node import Node
from at_protocol.syntax.did import Did
from aurora_locus.repository.reader import load_blocks
from groundwork.database.transaction import Database

T = TypeVar("T")

# A parsed node takes about five times the memory of its bytes (keys, CIDs, tuples).
_PARSED_SIZE_FACTOR = 5

# A tree cannot ask for more than its levels times the neighbours of a batch; beyond this it is damaged.
_MAX_ROUNDS = 10_000


def node_cache(max_bytes: int) -> LRUCache[Cid, Node]:
    """A cache that holds nodes up to about this much memory."""
    return LRUCache(max_bytes, getsizeof=lambda node: 400 + _PARSED_SIZE_FACTOR * len(node.block))


async def with_nodes(
    db: Database, cache: LRUCache[Cid, Node], did: Did, root: Cid, work: Callable[[Tree], T], *, keep: bool = True
) -> T:
    """Run pure ``work`` on a repository's tree, loading whatever node it misses and starting it again.

    ``work`` must do nothing but compute. ``keep`` is off for what strangers read: a crawler must not push the
    writers' nodes out of the cache.
    """
    loaded: dict[Cid, bytes] = {}
    tree = Tree(root, loaded.get, cache if keep else None)
    for _ in range(_MAX_ROUNDS):
        try:
            return work(tree)
        except MissingBlock as missing:
            found = await load_blocks(db, did, [missing.cid])
            if missing.cid not in found:
                raise DamagedRepository(did, missing.cid) from missing
            loaded.update(found)
    raise DamagedRepository(did, root)


class DamagedRepository(Exception):
    """A block that the repository's tree names is not in the store: a bug or a damaged disk, never a caller's fault."""

    def __init__(self, did: Did, cid: Cid) -> None:
        super().__init__(f"the block {cid} of {did} is missing; `openmeet pds check` says more")
        self.did = did
        self.cid = cid
