"""Covering proofs against the published fixtures: roots, the producer's blocks, the consumer's inversion."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.at_protocol.repo.trees import VALUES, Repository, contents, keys, random_content
from tests.external_dependencies import fixture_path, needs

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.change import RepoChange
from at_protocol.repo.covering import covering_nodes, missing_nodes
from at_protocol.repo.edit import apply_changes
from at_protocol.repo.inversion import check_claims, check_inversion, undo_changes
from at_protocol.repo.mst import Tree

FILES = ("vectors/interop/firehose/commit-proof-fixtures.json", "vectors/atproto-ts/commit-proof-fixtures.json")


def _fixtures() -> list[Any]:
    paths = [fixture_path(name) for name in FILES]
    return [case for path in paths if path.is_file() for case in json.loads(path.read_text(encoding="utf-8"))]


def _applied(case: dict[str, Any]) -> tuple[Repository, Cid, list[RepoChange], dict[Cid, bytes]]:
    value = Cid.parse(case["leafValue"])
    repository = Repository(dict.fromkeys(case["keys"], value))
    before = repository.root
    changes = [RepoChange(key, None, value) for key in case["adds"]] + [
        RepoChange(key, value, None) for key in case["dels"]
    ]
    edited = repository.apply(changes)
    return repository, before, changes, edited.new_blocks | edited.proof_blocks


@needs("fixtures")
def test_fixture_count():
    """Both copies of the file have six cases, and all of them are run."""
    assert len(_fixtures()) == 12


@pytest.mark.parametrize("case", _fixtures(), ids=lambda case: case["comment"])
class TestFixture:
    def test_roots_before_and_after_equal_the_fixtures(self, case):
        repository, before, _, _ = _applied(case)
        assert (str(before), str(repository.root)) == (case["rootBeforeCommit"], case["rootAfterCommit"])

    def test_covering_nodes_are_exactly_the_listed_ones(self, case):
        repository, _, changes, _ = _applied(case)
        covering = {str(node.cid) for change in changes for node in covering_nodes(repository.tree, change.path)}
        assert covering == set(case["blocksInProof"])

    def test_a_commit_carries_at_least_those(self, case):
        _, _, _, sent = _applied(case)
        assert {str(cid) for cid in sent} >= set(case["blocksInProof"])

    def test_operations_are_inverted_from_the_covering_nodes_alone(self, case):
        repository, before, changes, _ = _applied(case)
        proof = {cid: repository.blocks[cid] for cid in map(Cid.parse, case["blocksInProof"])}
        check_claims(Tree(repository.root, proof.get), changes)
        check_inversion(Tree(repository.root, proof.get), changes, before)

    def test_a_dropped_operation_is_noticed(self, case):
        repository, before, changes, sent = _applied(case)
        with pytest.raises(Malformed):
            check_inversion(Tree(repository.root, sent.get), changes[1:], before)

    def test_an_altered_path_is_noticed(self, case):
        repository, before, changes, sent = _applied(case)
        altered = [RepoChange(changes[0].path + "x", changes[0].before, changes[0].after), *changes[1:]]
        with pytest.raises(Malformed):
            check_inversion(Tree(repository.root, sent.get), altered, before)
        with pytest.raises(Malformed):
            check_claims(Tree(repository.root, sent.get), [*altered, altered[0]])


@given(contents, contents)
def test_operations_can_be_inverted_in_any_order(before, after):
    repository = Repository(before)
    root = repository.root
    changes = [
        repository.change(path, after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]
    edited = repository.apply(changes)
    sent = edited.new_blocks | edited.proof_blocks
    check_claims(Tree(edited.root, {**repository.blocks, **sent}.get), changes)
    assert undo_changes(repository.tree, changes) == root
    assert undo_changes(repository.tree, changes[::-1]) == root


def test_two_operations_on_one_path_are_refused():
    repository = Repository({"a/b": VALUES[0]})
    changes = [RepoChange("a/b", None, VALUES[0]), RepoChange("a/b", VALUES[1], VALUES[0])]
    with pytest.raises(Malformed, match="two operations"):
        check_claims(repository.tree, changes)


def test_no_operation_means_the_same_root():
    repository = Repository({"a/b": VALUES[0]})
    check_inversion(repository.tree, [], repository.root)
    with pytest.raises(Malformed):
        check_inversion(repository.tree, [], VALUES[0])


def _with_nodes_for(repository: Repository, changes: list[RepoChange]) -> tuple[Tree, int]:
    """The tree with the nodes that ``missing_nodes`` names, and how often it was called."""
    loaded: dict[Cid, bytes] = {}
    tree, rounds = Tree(repository.root, loaded.get), 0
    while missing := missing_nodes(tree, [change.path for change in changes]):
        loaded |= {cid: repository.blocks[cid] for cid in missing}
        rounds += 1
    return tree, rounds


@given(contents, st.dictionaries(keys, st.one_of(st.none(), st.sampled_from(VALUES[:4])), min_size=1, max_size=30))
def test_missing_nodes_are_all_that_a_batch_needs(content, edits):
    repository = Repository(content)
    changes = [repository.change(path, after) for path, after in edits.items() if content.get(path) != after]
    tree, _ = _with_nodes_for(repository, changes)
    if changes:
        edited = apply_changes(tree, changes)
        assert edited.root == repository.apply(changes).root


def test_missing_nodes_are_named_level_by_level():
    """A batch of 200 changes in a large tree needs hundreds of nodes, but they can be loaded in a few rounds."""
    repository = Repository(random_content(5000, seed=1))
    changes = [repository.change(path, None) for path in sorted(repository.content)[::25]]
    tree, rounds = _with_nodes_for(repository, changes)
    assert apply_changes(tree, changes).removed
    assert rounds <= 15
