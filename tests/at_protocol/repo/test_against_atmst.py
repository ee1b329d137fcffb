"""An independent implementation of the tree computes the same roots and proofs."""

import random

from atmst.blockstore import MemoryBlockStore
from atmst.mst.node_store import NodeStore
from atmst.mst.node_wrangler import NodeWrangler
from cbrrr import CID
from hypothesis import given, settings
from tests.at_protocol.repo.trees import VALUES, Repository, contents, random_content

from at_protocol.repo.change import RepoChange
from at_protocol.repo.mst import EMPTY_ROOT


@settings(max_examples=50)
@given(contents, contents)
def test_same_root_after_each_step(before, after):
    store = NodeStore(MemoryBlockStore())
    wrangler = NodeWrangler(store)
    theirs = store.get_node(None).cid
    ours = Repository()
    assert bytes(theirs) == bytes(EMPTY_ROOT)
    for path, value in before.items():
        theirs = wrangler.put_record(theirs, path, CID(bytes(value)))
        ours.apply([ours.change(path, value)])
        assert bytes(theirs) == bytes(ours.root)
    for path in [path for path in before if path not in after]:
        theirs = wrangler.del_record(theirs, path)
        ours.apply([ours.change(path, None)])
        assert bytes(theirs) == bytes(ours.root)


def test_same_blocks_for_a_larger_tree():
    """For 2,000 keys in random order, ``atmst`` has every node that our tree has."""
    content = random_content(2000, 1)
    order = random.Random(2).sample(sorted(content), len(content))
    blocks = MemoryBlockStore()
    store = NodeStore(blocks)
    wrangler = NodeWrangler(store)
    theirs = store.get_node(None).cid
    for path in order:
        theirs = wrangler.put_record(theirs, path, CID(bytes(content[path])))
    ours = Repository(content)
    assert bytes(theirs) == bytes(ours.root)
    edited = ours.apply([RepoChange("com.example.thing/x", None, VALUES[0])])
    theirs = wrangler.put_record(theirs, "com.example.thing/x", CID(bytes(VALUES[0])))
    assert bytes(theirs) == bytes(edited.root)
    for cid, block in edited.new_blocks.items():
        assert blocks.get_block(bytes(cid)) == block
