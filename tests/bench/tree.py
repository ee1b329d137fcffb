"""The Merkle search tree with 100,000 keys, compared with ``atmst``, which needs ``cbrrr`` and so has no pure figure."""

import itertools
import random
from collections.abc import Iterator

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.repo.build import BuiltTree, build
from at_protocol.repo.change import RepoChange
from at_protocol.repo.edit import apply_changes
from at_protocol.repo.mst import Tree
from at_protocol.repo.node import Node
from at_protocol.syntax.tid import from_microseconds
from tests.bench.figure import Figure, Peer, check
from tests.bench.timing import percentile, progress, timed

KEYS = 100_000
INSERTS = 2_000
# atmst inserts one key at a time. With 100,000 keys, that would take longer than everything else here together.
PEER_KEYS = 4_000
FIRST_US = 1_700_000_000_000_000
VALUE = Cid.for_cbor(b"\xa0")


def measure() -> Iterator[Figure]:
    progress(f"building a tree of {KEYS:,} keys")
    content = [(path, VALUE) for path in _paths(0, KEYS)]
    seconds, built = timed(lambda: build(content))
    assert isinstance(built, BuiltTree)
    check(sum(1 for _ in Tree(built.root, built.blocks.get).entries()) == KEYS, "the tree has lost keys")
    yield Figure("build it from sorted keys", seconds, "s", less_is_better=True)

    progress(f"inserting {INSERTS:,} keys, each with a new root")
    fresh = _paths(KEYS, INSERTS)
    random.Random(1).shuffle(fresh)
    ours, root = _insert(built, fresh)
    every = build(sorted([*content, *((path, VALUE) for path in fresh)]))
    check(root == every.root, "inserting keys one by one gives another root than building the tree at once")
    peer = None
    if cbor.IS_COMPILED:
        progress("inserting the same keys with atmst")
        peer = Peer("atmst", _insert_with_atmst(built, fresh) * 1000)
    mean = sum(ours) / len(ours) * 1000
    yield Figure("insert one with new root, blocks and proof", mean, "ms", 0.3, less_is_better=True, peer=peer)
    yield Figure("the same, p99", percentile(ours, 0.99) * 1000, "ms", less_is_better=True)

    progress(f"building {PEER_KEYS:,} keys")
    few = content[:PEER_KEYS]
    seconds, built = timed(lambda: build(few))
    assert isinstance(built, BuiltTree)
    if peer is not None:
        taken, foreign = timed(lambda: _build_with_atmst(few))
        check(foreign == bytes(built.root), "atmst computes another root")
        peer = Peer("atmst", taken)
    yield Figure(f"build {PEER_KEYS:,} keys", seconds, "s", less_is_better=True, peer=peer)


def _paths(first: int, count: int) -> list[str]:
    """Paths of posts by one person over time, in order."""
    # The odd ones are inserted later, between the even ones, as edits of an old repository are.
    step = 1_000_000
    offset = 0 if first == 0 else step // 2
    span = KEYS // count if first else 1
    numbers = range(0, count * span, span)
    return [f"app.bsky.feed.post/{from_microseconds(FIRST_US + number * step + offset, 7)}" for number in numbers]


def _insert(built: BuiltTree, paths: list[str]) -> tuple[list[float], Cid]:
    blocks = dict(built.blocks)
    nodes: dict[Cid, Node] = {}
    root, taken = built.root, []
    for path in paths:
        tree = Tree(root, blocks.get, nodes)
        change = RepoChange(path, None, VALUE)
        seconds, edited = timed(lambda tree=tree, change=change: apply_changes(tree, [change]))  # type: ignore[misc]
        taken.append(seconds)
        blocks.update(edited.new_blocks)  # type: ignore[attr-defined]
        root = edited.root  # type: ignore[attr-defined]
    return taken, root


def _insert_with_atmst(built: BuiltTree, paths: list[str]) -> float:
    """Seconds per insert."""
    from atmst.blockstore import MemoryBlockStore  # imported here because it cannot be imported without cbrrr
    from atmst.mst.node_store import NodeStore
    from atmst.mst.node_wrangler import NodeWrangler
    from cbrrr import CID

    store = NodeStore(MemoryBlockStore({bytes(cid): block for cid, block in built.blocks.items()}))
    wrangler = NodeWrangler(store)
    value = CID(bytes(VALUE))

    def insert() -> None:
        root = CID(bytes(built.root))
        for path in itertools.islice(paths, 500):
            root = wrangler.put_record(root, path, value)

    return timed(insert)[0] / 500


def _build_with_atmst(content: list[tuple[str, Cid]]) -> bytes:
    from atmst.blockstore import MemoryBlockStore
    from atmst.mst.node_store import NodeStore
    from atmst.mst.node_wrangler import NodeWrangler
    from cbrrr import CID

    store = NodeStore(MemoryBlockStore())
    wrangler = NodeWrangler(store)
    value = CID(bytes(VALUE))
    root = store.get_node(None).cid
    for path, _ in content:
        root = wrangler.put_record(root, path, value)
    return bytes(root)
