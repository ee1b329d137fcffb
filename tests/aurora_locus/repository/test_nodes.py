"""The cache of tree nodes."""

import pytest

from at_protocol.data.cid import Cid
from at_protocol.repo.node import Node, make_node
from aurora_locus.repository.nodes import NodeCache


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
