"""Trees for tests: built from plain dicts, with every block available."""

import random

from hypothesis import strategies as st
from tests.external_dependencies import fixture_lines

from at_protocol.data.cid import Cid
from at_protocol.repo.build import build
from at_protocol.repo.change import RepoChange
from at_protocol.repo.edit import EditedTree, apply_changes
from at_protocol.repo.mst import EMPTY_ROOT, Tree
from at_protocol.repo.node import EMPTY_NODE

EXAMPLE_KEYS = [line for _, line in fixture_lines("vectors/interop/mst/example_keys.txt")]
VALUES = [Cid.for_cbor(bytes([number])) for number in range(256)]

# Short keys over a small alphabet share prefixes. One in four is a level higher, so trees of 40 keys have 3 levels.
keys = st.text("ab/0", min_size=1, max_size=6)
contents = st.dictionaries(keys, st.sampled_from(VALUES[:4]), max_size=40)


class Repository:
    """A tree that keeps all blocks it ever had, and the dict that it must equal."""

    def __init__(self, content: dict[str, Cid] | None = None) -> None:
        self.content = dict(content or {})
        built = build(sorted(self.content.items()))
        self.blocks = {EMPTY_ROOT: EMPTY_NODE, **built.blocks}
        self.root = built.root

    @property
    def tree(self) -> Tree:
        return Tree(self.root, self.blocks.get)

    def change(self, path: str, after: Cid | None) -> RepoChange:
        return RepoChange(path, self.content.get(path), after)

    def apply(self, changes: list[RepoChange]) -> EditedTree:
        edited = apply_changes(self.tree, changes)
        self.blocks.update(edited.new_blocks)
        self.root = edited.root
        for change in changes:
            if change.after is None:
                del self.content[change.path]
            else:
                self.content[change.path] = change.after
        return edited

    def nodes(self) -> set[Cid]:
        """The CIDs of all nodes of the current tree."""
        return set(build(sorted(self.content.items())).blocks)


def random_content(count: int, seed: int) -> dict[str, Cid]:
    chance = random.Random(seed)
    return {f"com.example.thing/{chance.randrange(36**8):08x}": chance.choice(VALUES) for _ in range(count)}
