"""Editing trees: the same content has the same root, however it was reached, and nothing else is touched."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.at_protocol.repo.trees import EXAMPLE_KEYS, VALUES, Repository, contents, keys, random_content
from tests.external_dependencies import needs

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed, Misuse
from at_protocol.repo.build import build
from at_protocol.repo.change import RepoChange
from at_protocol.repo.edit import ChangeMismatch, apply_changes, root_after
from at_protocol.repo.mst import EMPTY_ROOT, MissingBlock, Tree
from at_protocol.repo.node import Node


@needs("fixtures")
@pytest.mark.parametrize("seed", range(50))
def test_example_keys_in_any_order(seed):
    """All 156 example keys give the same root in any order. Deleting half of them leaves the tree of the other half;
    deleting all leaves the empty tree.
    """
    chance = random.Random(seed)
    order = chance.sample(EXAMPLE_KEYS, len(EXAMPLE_KEYS))
    content = {key: VALUES[index] for index, key in enumerate(EXAMPLE_KEYS)}
    repository = Repository()
    for key in order:
        repository.apply([RepoChange(key, None, content[key])])
    assert repository.root == build(sorted(content.items())).root
    for key in chance.sample(EXAMPLE_KEYS, len(EXAMPLE_KEYS)):
        repository.apply([RepoChange(key, content[key], None)])
        if len(repository.content) == len(EXAMPLE_KEYS) // 2:
            assert repository.root == build(sorted(repository.content.items())).root
    assert repository.root == EMPTY_ROOT


@given(contents, st.lists(st.tuples(keys, st.one_of(st.none(), st.sampled_from(VALUES[:4]))), max_size=30))
def test_tree_behaves_as_a_dict(content, edits):
    """After every edit the tree equals the dict, has the root of a newly built tree, and reports the added and removed
    nodes.
    """
    repository = Repository(content)
    for path, after in edits:
        if repository.content.get(path) == after:
            continue
        before = repository.nodes()
        edited = repository.apply([repository.change(path, after)])
        now = repository.nodes()
        assert edited.root == build(sorted(repository.content.items())).root
        assert set(edited.new_blocks) == now - before
        assert edited.removed == before - now
        assert set(edited.proof_blocks) <= now & before
    assert dict(repository.tree.entries()) == repository.content
    for path, _ in edits:
        assert repository.tree.get(path) == repository.content.get(path)


@given(contents, contents)
def test_batch_equals_single_steps(before, after):
    """A batch gives the same root as its single steps, encodes each new node once, and reports no intermediate node."""
    repository = Repository(before)
    paths = sorted(before.keys() | after.keys())
    changes = [repository.change(path, after.get(path)) for path in paths if before.get(path) != after.get(path)]
    old = repository.nodes()
    edited = repository.apply(changes)
    assert edited.root == build(sorted(after.items())).root
    assert set(edited.new_blocks) == repository.nodes() - old
    assert edited.removed == old - repository.nodes()


@given(contents, contents)
def test_inverting_an_edit_restores_the_tree(before, after):
    """invert(apply(x)) = x, using only the blocks that a commit contains."""
    repository = Repository(before)
    root = repository.root
    paths = sorted(before.keys() | after.keys())
    changes = [repository.change(path, after.get(path)) for path in paths if before.get(path) != after.get(path)]
    edited = repository.apply(changes)
    sent = edited.new_blocks | edited.proof_blocks
    if changes:
        assert root_after(Tree(edited.root, sent.get), [change.inverse() for change in changes]) == root


def test_edit_without_changes_sends_the_root():
    """An edit that changes nothing still sends the root, because some readers need it to start."""
    repository = Repository(random_content(50, 1))
    edited = apply_changes(repository.tree, [])
    assert (edited.root, edited.new_blocks, edited.removed) == (repository.root, {}, frozenset())
    assert set(edited.proof_blocks) == {repository.root}


def test_create_and_delete_in_one_batch_leaves_no_trace():
    repository = Repository(random_content(50, 2))
    edited = apply_changes(repository.tree, [RepoChange("a/b", None, VALUES[0]), RepoChange("a/b", VALUES[0], None)])
    assert (edited.root, edited.new_blocks, edited.removed) == (repository.root, {}, frozenset())


@pytest.mark.parametrize(
    "change",
    [
        RepoChange("a/there", None, VALUES[1]),
        RepoChange("a/there", VALUES[2], None),
        RepoChange("a/there", VALUES[2], VALUES[1]),
        RepoChange("a/absent", VALUES[0], None),
        RepoChange("a/absent", VALUES[0], VALUES[1]),
    ],
    ids=["create of what exists", "delete of another", "update of another", "delete of nothing", "update of nothing"],
)
def test_a_change_must_agree_with_the_tree(change):
    repository = Repository({"a/there": VALUES[0], **random_content(30, 3)})
    with pytest.raises(ChangeMismatch) as refused:
        apply_changes(repository.tree, [change])
    assert refused.value.held == repository.content.get(change.path)


@pytest.mark.parametrize("key", EXAMPLE_KEYS[::10])
def test_change_of_an_absent_key_at_every_level(key):
    """Deleting an absent key is refused without a crash, whether the tree is lower or higher than the key."""
    for content in ({}, {"A0/374913": VALUES[0]}, {"E5/123123123": VALUES[0]}):
        if key not in content:
            with pytest.raises(ChangeMismatch):
                apply_changes(Repository(content).tree, [RepoChange(key, VALUES[0], None)])


def test_change_without_a_value_is_a_programming_error():
    with pytest.raises(Misuse):
        apply_changes(Repository().tree, [RepoChange("a/b", None, None)])


@pytest.mark.parametrize("path", ["", "k" * 1025])
def test_paths_have_1_to_1024_bytes(path):
    with pytest.raises(Malformed):
        apply_changes(Repository().tree, [RepoChange(path, None, VALUES[0])])


def test_missing_node_is_named_and_can_be_loaded():
    """An edit names a missing node. Loading such nodes one at a time gives the same tree, because a failure leaves no
    state behind.
    """
    repository = Repository(random_content(500, 4))
    change = RepoChange("com.example.thing/new", None, VALUES[0])
    there: dict[Cid, bytes] = {}
    loads = 0
    while True:
        try:
            edited = apply_changes(Tree(repository.root, there.get), [change])
            break
        except MissingBlock as missing:
            there[missing.cid] = repository.blocks[missing.cid]
            loads += 1
    assert edited == apply_changes(repository.tree, [change])
    assert loads < 20 < len(repository.nodes())


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_an_edit_reads_and_encodes_one_path(seed):
    """An edit in a tree of 3,000 keys reads and encodes only the few nodes of one path."""
    repository = Repository(random_content(3000, 5))
    read: list[Cid] = []

    def source(cid: Cid) -> bytes | None:
        read.append(cid)
        return repository.blocks.get(cid)

    nodes: dict[Cid, Node] = {}
    edited = apply_changes(
        Tree(repository.root, source, nodes), [RepoChange(f"com.example.thing/{seed:08x}x", None, VALUES[0])]
    )
    assert len(edited.new_blocks) <= 14
    assert len(read) <= 20
    assert len(set(read)) == len(read)


def test_new_nodes_enter_the_cache():
    """New nodes enter the cache, so that the next edit of the same repository reads nothing."""
    repository = Repository(random_content(300, 6))
    nodes: dict[Cid, Node] = {}
    edited = apply_changes(Tree(repository.root, repository.blocks.get, nodes), [RepoChange("a/1", None, VALUES[0])])
    again = apply_changes(Tree(edited.root, {}.get, nodes), [RepoChange("a/1", VALUES[0], VALUES[1])])
    assert again.new_blocks


def test_a_cache_that_forgets_at_once_is_harmless():
    class Forgetful(dict[Cid, Node]):
        def __setitem__(self, key: Cid, value: Node) -> None:
            pass

        def update(self, *args: object, **kwargs: object) -> None:
            pass

    repository = Repository(random_content(300, 7))
    change = RepoChange("a/1", None, VALUES[0])
    forgetful = apply_changes(Tree(repository.root, repository.blocks.get, Forgetful()), [change])
    assert forgetful == apply_changes(repository.tree, [change])
