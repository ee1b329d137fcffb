"""Differences between trees, computed without reading the subtrees that both share."""

from hypothesis import given
from tests.at_protocol.repo.trees import VALUES, Repository, contents, random_content

from at_protocol.data.cid import Cid
from at_protocol.repo.change import RepoChange
from at_protocol.repo.diff import diff
from at_protocol.repo.mst import EMPTY_ROOT, Tree


@given(contents, contents)
def test_diff_is_what_differs(before, after):
    old, new = Repository(before), Repository(after)
    expected = [
        RepoChange(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]
    assert list(diff(old.tree, new.tree)) == expected


@given(contents, contents)
def test_applying_the_diff_gives_the_new_tree(before, after):
    old, new = Repository(before), Repository(after)
    old.apply(list(diff(old.tree, new.tree)))
    assert old.root == new.root


def test_shared_subtrees_are_not_read():
    """The diff for one change among 3,000 keys reads only two paths from root to leaf."""
    repository = Repository(random_content(3000, 1))
    old = repository.root
    repository.apply([RepoChange("com.example.thing/4", None, VALUES[0])])
    read: list[Cid] = []

    def source(cid: Cid) -> bytes | None:
        read.append(cid)
        return repository.blocks.get(cid)

    assert list(diff(Tree(old, source), Tree(repository.root, source))) == [
        RepoChange("com.example.thing/4", None, VALUES[0])
    ]
    assert len(read) < 60


def test_diff_against_the_empty_tree():
    repository = Repository(random_content(100, 2))
    everything = list(diff(Tree(EMPTY_ROOT, {}.get), repository.tree))
    assert [(change.path, change.after) for change in everything] == sorted(repository.content.items())
