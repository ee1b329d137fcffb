"""Batch edits of a tree: from changes to the new root and exactly the new nodes.

Source: repository specification, "MST Structure". Nodes on the path to a change are opened as drafts (lists) and
encoded once at the end. A batch therefore encodes each changed node once, however many changes there are, and unchanged
nodes are neither read again nor encoded. If an error occurs, nothing has changed, because the drafts are discarded with
the batch.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed, Misuse
from at_protocol.repo.change import RepoChange
from at_protocol.repo.covering import covering_nodes
from at_protocol.repo.mst import Tree
from at_protocol.repo.node import MAX_HEIGHT, MAX_KEY_BYTES, Node, key_height, make_node


class ChangeMismatch(Malformed):
    """An edit does not fit the tree: the tree's value at the path differs from the change's ``before``."""

    def __init__(self, path: str, current: Cid | None, claimed: Cid | None) -> None:
        super().__init__(
            "change", path, f"the tree has {current or 'nothing'} there, the change says {claimed or 'nothing'}"
        )
        self.path = path
        self.held = current


@dataclass(frozen=True, slots=True)
class EditedTree:
    """Result of a batch.

    ``new_blocks`` are the nodes of the new tree that the old tree did not have. ``removed`` are the nodes of the old
    tree that the new one no longer has. ``proof_blocks`` are further, unchanged nodes that a consumer needs to undo the
    changes ("covering proof"). A ``#commit`` carries ``new_blocks`` and ``proof_blocks``.
    """

    root: Cid
    new_blocks: dict[Cid, bytes]
    removed: frozenset[Cid]
    proof_blocks: dict[Cid, bytes]


@dataclass(slots=True, eq=False)
class _Draft:
    """A node being changed. Like a Node, it has one more child than keys."""

    height: int
    keys: list[bytes]
    values: list[Cid]
    children: "list[_Subtree]"

    def is_hollow(self) -> bool:
        return not self.keys and self.children[0] is None


_Subtree = Cid | _Draft | None


@dataclass(slots=True)
class _TreeEditor:
    """State of one batch: the original tree, the current root, and the opened nodes."""

    tree: Tree
    root: _Draft
    thawed: set[Cid] = field(default_factory=set)
    sealed: dict[Cid, Node] = field(default_factory=dict)

    def peek(self, cid: Cid, height: int) -> Node:
        # Key bounds are not checked while editing. Misplaced keys cannot go unnoticed: either the caller compares the
        # resulting root with a signed one, or the tree is our own.
        return self.tree.child(cid, height, b"", None)

    def thaw(self, subtree: Cid | _Draft, height: int) -> _Draft:
        if isinstance(subtree, _Draft):
            return subtree
        node = self.peek(subtree, height)
        self.thawed.add(subtree)
        return _Draft(height, list(node.keys), list(node.values), list(node.children))

    def insert(self, key: bytes, value: Cid) -> None:
        level = key_height(key)
        if level > MAX_HEIGHT:
            raise Malformed("record path", key, f"the key would need a tree of {level} levels")
        root = self.root
        if root.is_hollow():
            self.root = _Draft(level, [key], [value], [None, None])
        elif level > root.height:
            left, right = self.split(root, root.height, key)
            pair = [_raise_to_level(left, root.height, level - 1), _raise_to_level(right, root.height, level - 1)]
            self.root = _Draft(level, [key], [value], pair)
        else:
            self.insert_below(root, key, value, level)

    def insert_below(self, draft: _Draft, key: bytes, value: Cid, level: int) -> None:
        while draft.height > level:
            index = bisect_left(draft.keys, key)
            child = draft.children[index]
            # Levels are never skipped. A chain of nodes without entries leads down through empty levels.
            below = _Draft(draft.height - 1, [], [], [None]) if child is None else self.thaw(child, draft.height - 1)
            draft.children[index] = below
            draft = below
        index = bisect_left(draft.keys, key)
        if index < len(draft.keys) and draft.keys[index] == key:
            raise ChangeMismatch(key.decode(), draft.values[index], None)
        draft.children[index : index + 1] = self.split(draft.children[index], level - 1, key)
        draft.keys.insert(index, key)
        draft.values.insert(index, value)

    def split(self, subtree: _Subtree, height: int, key: bytes) -> tuple[_Subtree, _Subtree]:
        """Split a subtree into the parts left and right of a key that it does not contain."""
        if subtree is None:
            return None, None
        if isinstance(subtree, _Draft):
            keys, values, children = subtree.keys, subtree.values, subtree.children
        else:
            node = self.peek(subtree, height)
            keys, values, children = list(node.keys), list(node.values), list(node.children)
        index = bisect_left(keys, key)
        inner = children[index]
        left_inner, right_inner = self.split(inner, height - 1, key)
        if index == 0 and left_inner is None:
            return None, subtree  # everything is right of the key, so nothing changes
        if index == len(keys) and right_inner is None:
            return subtree, None
        if isinstance(subtree, Cid):
            self.thawed.add(subtree)
        left = _Draft(height, keys[:index], values[:index], [*children[:index], left_inner])
        right = _Draft(height, keys[index:], values[index:], [right_inner, *children[index + 1 :]])
        return _none_if_hollow(left), _none_if_hollow(right)

    def find(self, key: bytes) -> tuple[list[tuple[_Draft, int]], int]:
        """Open the path to a key. Returns the drafts with the index of the child taken, and the index of the key in the
        last one.
        """
        level = key_height(key)
        draft = self.root
        path: list[tuple[_Draft, int]] = []
        while True:
            index = bisect_left(draft.keys, key)
            path.append((draft, index))
            if draft.height <= level:
                is_present = draft.height == level and index < len(draft.keys) and draft.keys[index] == key
                return path, index if is_present else -1
            child = draft.children[index]
            if child is None:
                return path, -1
            draft.children[index] = draft = self.thaw(child, draft.height - 1)

    def replace(self, key: bytes, before: Cid, after: Cid) -> None:
        path, index = self.find(key)
        draft = path[-1][0]
        current = draft.values[index] if index >= 0 else None
        if current != before:
            raise ChangeMismatch(key.decode(), current, before)
        draft.values[index] = after

    def delete(self, key: bytes, before: Cid) -> None:
        path, index = self.find(key)
        draft = path[-1][0]
        current = draft.values[index] if index >= 0 else None
        if current != before:
            raise ChangeMismatch(key.decode(), current, before)
        merged = self.merge(draft.children[index], draft.children[index + 1], draft.height - 1)
        del draft.keys[index], draft.values[index]
        draft.children[index : index + 2] = [merged]
        for parent, child_index in reversed(path[:-1]):
            child = parent.children[child_index]
            if not (isinstance(child, _Draft) and child.is_hollow()):
                break
            parent.children[child_index] = None
        self.trim()

    def merge(self, left: _Subtree, right: _Subtree, height: int) -> _Subtree:
        """Merge two adjacent subtrees."""
        if left is None:
            return right
        if right is None:
            return left
        left_draft, right_draft = self.thaw(left, height), self.thaw(right, height)
        inner = self.merge(left_draft.children[-1], right_draft.children[0], height - 1)
        children = [*left_draft.children[:-1], inner, *right_draft.children[1:]]
        return _Draft(height, left_draft.keys + right_draft.keys, left_draft.values + right_draft.values, children)

    def trim(self) -> None:
        """Remove levels without entries from the top."""
        while not self.root.keys and (child := self.root.children[0]) is not None:
            self.root = self.thaw(child, self.root.height - 1)

    def seal(self, draft: _Draft) -> Cid:
        """Encode the drafts, leaves first."""
        links = [self.seal(child) if isinstance(child, _Draft) else child for child in draft.children]
        node = make_node(draft.height, draft.keys, draft.values, links)
        self.sealed[node.cid] = node
        return node.cid


def _none_if_hollow(draft: _Draft) -> _Draft | None:
    return None if draft.is_hollow() else draft


def _raise_to_level(subtree: _Subtree, height: int, top_level: int) -> _Subtree:
    """Put nodes without entries above a subtree, up to the given level."""
    if subtree is None:
        return None
    for level in range(height + 1, top_level + 1):
        subtree = _Draft(level, [], [], [subtree])
    return subtree


def apply_changes(tree: Tree, changes: Iterable[RepoChange]) -> EditedTree:
    """Apply the changes in order. Returns new nodes, removed nodes and the covering proof.

    Raises ChangeMismatch if a ``before`` does not match the tree, Malformed if the tree itself is not canonical, and
    MissingBlock if a needed node is not in the source. In that case nothing has changed: load the node and call again.
    """
    changes = list(changes)
    nodes = {} if tree.nodes is None else tree.nodes
    editor = _change(Tree(tree.root, tree.source, nodes), changes)
    root = editor.seal(editor.root)
    new = {cid: node.block for cid, node in editor.sealed.items() if cid not in editor.thawed}
    nodes.update(editor.sealed)

    def source(cid: Cid) -> bytes | None:
        return new.get(cid) or tree.source(cid)  # the cache might already have evicted a new node

    after = Tree(root, source, nodes)
    # Always include the root, because some readers cannot start without it, even if there is nothing to undo.
    top = after.root_node()
    proof = {} if root in new else {root: top.block}
    for change in changes:
        for node in covering_nodes(after, change.path):
            if node.cid not in new:
                proof[node.cid] = node.block
    return EditedTree(root, new, frozenset(editor.thawed - editor.sealed.keys()), proof)


def root_after(tree: Tree, changes: Iterable[RepoChange]) -> Cid:
    """Return only the resulting root, to check another server's claim about it. Raises the same errors as
    ``apply_changes``.
    """
    editor = _change(tree, changes)
    return editor.seal(editor.root)


def _change(tree: Tree, changes: Iterable[RepoChange]) -> _TreeEditor:
    node = tree.root_node()
    draft = _Draft(node.height or 0, list(node.keys), list(node.values), list(node.children))
    editor = _TreeEditor(tree, draft, {tree.root})
    for change in changes:
        key = change.path.encode()
        if not 0 < len(key) <= MAX_KEY_BYTES:
            raise Malformed("record path", change.path, f"a path has 1 to {MAX_KEY_BYTES} bytes")
        match change.before, change.after:
            case None, Cid() as value:
                editor.insert(key, value)
            case Cid() as before, None:
                editor.delete(key, before)
            case Cid() as before, Cid() as value:
                editor.replace(key, before, value)
            case _:
                raise Misuse(f"a change of {change.path!r} from nothing to nothing")
    return editor
