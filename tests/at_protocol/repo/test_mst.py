"""Reading trees: order, resuming, and trees that are refused although every node is valid."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.at_protocol.repo.trees import VALUES, Repository, contents, keys, random_content

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.build import build
from at_protocol.repo.mst import EMPTY_ROOT, MissingBlock, Tree
from at_protocol.repo.node import Node, key_height, make_node


def _key(letter: str, level: int) -> str:
    return next(key for n in itertools.count() if key_height((key := f"{letter}{level}/{n}").encode()) == level)


A0, B0, C0, A1, B1, C1, B2 = (
    _key(*name) for name in (("A", 0), ("B", 0), ("C", 0), ("A", 1), ("B", 1), ("C", 1), ("B", 2))
)


@given(contents)
def test_entries_come_in_order(content):
    assert list(Repository(content).tree.entries()) == sorted(content.items())


@given(contents, keys)
def test_entries_after_a_path(content, after):
    assert list(Repository(content).tree.entries(after)) == [
        item for item in sorted(content.items()) if item[0] > after
    ]


def test_entries_after_a_path_read_only_what_follows():
    repository = Repository(random_content(2000, 1))
    read: list[Cid] = []

    def source(cid: Cid) -> bytes | None:
        read.append(cid)
        return repository.blocks.get(cid)

    last = max(repository.content)
    assert list(Tree(repository.root, source).entries(last)) == []
    assert len(read) < 12


def test_an_empty_tree_needs_no_block():
    tree = Tree(EMPTY_ROOT, {}.get)
    assert list(tree.entries()) == []
    assert tree.get("a/b") is None


def test_walk_continues_after_a_missing_block():
    """A walk names the missing block that it needs next. Loading these one by one gives the whole tree without
    repetition.
    """
    repository = Repository(random_content(200, 2))
    there: dict[Cid, bytes] = {}
    walk = Tree(repository.root, there.get).walk()
    seen = []
    while True:
        try:
            seen.append(next(walk))
        except MissingBlock as missing:
            there[missing.cid] = repository.blocks[walk.next_nodes(1)[0]]
        except StopIteration:
            break
    assert [item for item in seen if not isinstance(item, Node)] == sorted(repository.content.items())
    assert {item.cid for item in seen if isinstance(item, Node)} == repository.nodes()


def test_wanted_nodes_are_those_opened_next():
    repository = Repository(random_content(200, 3))
    walk = repository.tree.walk()
    assert walk.next_nodes() == [repository.root]
    next(walk)
    soon = walk.next_nodes(3)
    opened = [item.cid for item in walk if isinstance(item, Node)]
    assert [cid for cid in opened if cid in soon] == soon


@given(st.lists(keys, unique=True, max_size=30))
def test_build_requires_sorted_entries(paths):
    if paths != sorted(paths):
        with pytest.raises(Malformed):
            build([(path, VALUES[0]) for path in paths])


def test_build_refuses_a_path_twice_and_one_too_long():
    with pytest.raises(Malformed):
        build([("a", VALUES[0]), ("a", VALUES[0])])
    with pytest.raises(Malformed):
        build([("a" * 1025, VALUES[0])])


class Forged:
    """A tree of forged nodes."""

    def __init__(self) -> None:
        self.blocks: dict[Cid, bytes] = {}

    def node(self, entries: str | tuple[str, ...] = (), children: list[Cid | None] | None = None) -> Cid:
        paths = (entries,) if isinstance(entries, str) else entries
        places = children or [None] * (len(paths) + 1)
        made = make_node(None, [path.encode() for path in paths], [VALUES[0]] * len(paths), places)
        self.blocks[made.cid] = made.block
        return made.cid

    def read(self, root: Cid) -> dict[str, Cid]:
        return dict(Tree(root, self.blocks.get).entries())


def test_forged_nodes_can_make_a_valid_tree():
    forged = Forged()
    root = forged.node(B2, [forged.node((), [forged.node(A0)]), forged.node(C1)])
    assert forged.read(root) == {A0: VALUES[0], B2: VALUES[0], C1: VALUES[0]}
    assert root == Repository(forged.read(root)).root


def _skipped_level(forged: Forged) -> Cid:
    return forged.node(B2, [forged.node(A0), None])


def _root_without_entries(forged: Forged) -> Cid:
    return forged.node((), [forged.node(A0)])


def _empty_node_below(forged: Forged) -> Cid:
    return forged.node(B1, [forged.node(), None])


def _empty_chain_below_level_0(forged: Forged) -> Cid:
    return forged.node(A0, [None, forged.node((), [forged.node((), [forged.node(B0)])])])


def _long_empty_chain(forged: Forged) -> Cid:
    below = forged.node(A0)
    for _ in range(5000):
        below = forged.node((), [below])
    return forged.node(B1, [below, None])


def _keys_left_of_their_gap(forged: Forged) -> Cid:
    return forged.node(B1, [None, forged.node(A0)])


def _keys_right_of_their_gap(forged: Forged) -> Cid:
    return forged.node(B1, [forged.node(C0), None])


def _keys_out_of_order_two_levels_down(forged: Forged) -> Cid:
    return forged.node(B2, [forged.node(A1, [None, forged.node(C0)]), None])


def _one_subtree_everywhere(forged: Forged) -> Cid:
    below = forged.node(A0)
    return forged.node((B1, C1), [below, below, below])


@pytest.mark.parametrize(
    "forge",
    [
        _skipped_level,
        _root_without_entries,
        _empty_node_below,
        _empty_chain_below_level_0,
        _long_empty_chain,
        _keys_left_of_their_gap,
        _keys_right_of_their_gap,
        _keys_out_of_order_two_levels_down,
        _one_subtree_everywhere,
    ],
)
def test_illegal_shapes_are_refused(forge):
    forged = Forged()
    root = forge(forged)
    with pytest.raises(Malformed):
        forged.read(root)


def test_search_refuses_illegal_shapes():
    """A search for one path checks the nodes on its way as a full walk does."""
    forged = Forged()
    with pytest.raises(Malformed):
        Tree(_keys_left_of_their_gap(forged), forged.blocks.get).get(C0)


def test_keys_must_be_text():
    node = make_node(0, [b"\xff\xfe"], [VALUES[0]], [None, None])
    with pytest.raises(Malformed):
        list(Tree(node.cid, {node.cid: node.block}.get).entries())
