"""The cache of tree nodes."""

from collections.abc import Iterable

import pytest

from at_protocol.data.cid import Cid
from at_protocol.repo.node import Node, make_node
from at_protocol.syntax.did import Did
from at_protocol.syntax.record_key import RecordKey
from aurora_locus.repository import nodes
from aurora_locus.repository.nodes import NodeCache
from aurora_locus.repository.prepare import prepare_deletion
from aurora_locus.repository.reader import load_blocks
from aurora_locus.repository.repositories import Repositories
from groundwork.database.transaction import Database
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository


def node(number: int) -> Node:
    return make_node(0, [b"org.example.note/%05d" % number], [Cid.for_cbor(b"%d" % number)], [None, None])


def test_cache_returns_stored_nodes():
    cache = NodeCache(1 << 20)
    one = node(1)
    cache[one.cid] = one
    assert cache[one.cid] is one
    assert cache.get(node(2).cid) is None
    with pytest.raises(KeyError):
        cache[node(2).cid]
    assert list(cache) == [one.cid]
    del cache[one.cid]
    assert len(cache) == 0


def test_is_bounded():
    cache = NodeCache(100_000)
    for number in range(5_000):
        made = node(number)
        cache[made.cid] = made
    assert 0 < len(cache) < 200


def test_used_nodes_stay_cached():
    cache = NodeCache(100_000)
    kept = node(0)
    cache[kept.cid] = kept
    for number in range(1, 2_000):
        made = node(number)
        cache[made.cid] = made
        assert cache.get(kept.cid) is kept


async def test_nodes_of_a_batch_are_read_together(
    repositories: Repositories, ada: HostedRepository, monkeypatch: pytest.MonkeyPatch
):
    """A batch of 200 writes to a large repository that is not cached needs hundreds of nodes, but only a few reads."""
    for start in range(0, 1000, 200):
        await ada.write(*(ada.prepare(f"{number * 7919 % 1000:04}", {}) for number in range(start, start + 200)))
    reads: list[int] = []

    async def counted(db: Database, did: Did, cids: Iterable[Cid]) -> dict[Cid, bytes]:
        asked = list(cids)
        reads.append(len(asked))
        return await load_blocks(db, did, asked)

    monkeypatch.setattr(nodes, "load_blocks", counted)
    repositories.nodes.clear()
    await ada.write(*(prepare_deletion(NOTE, RecordKey(f"{number:04}")) for number in range(0, 1000, 5)))
    assert sum(reads) > 100
    assert len(reads) <= 15
