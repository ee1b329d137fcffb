"""Changes between two trees, without reading their common parts.

Both trees are walked in parallel in key order. Identical subtrees are skipped without reading them, so the cost depends
on the number of changes and not on the size of the trees.
"""

from collections.abc import Iterator

from at_protocol.data.cid import Cid
from at_protocol.repo.change import RepoChange
from at_protocol.repo.mst import Tree

# An item is an entry (key, record, ENTRY) or an unread subtree (b"", node, its level).
_Item = tuple[bytes, Cid, int]
_ENTRY = -1


def diff(old: Tree, new: Tree) -> Iterator[RepoChange]:
    """Yield the changes from one tree to the other, in key order.

    Raises MissingBlock and Malformed. This function does not check the key ranges of a tree from another server; walk
    the tree first.
    """
    left, right = _unread(old), _unread(new)
    while left and right:
        one, other = left[-1], right[-1]
        if one[2] != _ENTRY or other[2] != _ENTRY:
            if one == other:
                left.pop()
                right.pop()
                continue
            # The higher subtree is opened first. Only then do both sides reach a shared subtree at the same time.
            if one[2] >= other[2]:
                _open(old, left)
            if other[2] >= one[2]:
                _open(new, right)
        elif one[0] < other[0]:
            yield RepoChange(left.pop()[0].decode(), one[1], None)
        elif other[0] < one[0]:
            yield RepoChange(right.pop()[0].decode(), None, other[1])
        else:
            left.pop()
            right.pop()
            if one[1] != other[1]:
                yield RepoChange(one[0].decode(), one[1], other[1])
    for key, value in _remaining_entries(old, left):
        yield RepoChange(key.decode(), value, None)
    for key, value in _remaining_entries(new, right):
        yield RepoChange(key.decode(), None, value)


def _unread(tree: Tree) -> list[_Item]:
    """The rest of a tree that is not read yet, with the next item last."""
    root = tree.root_node()
    return [(b"", root.cid, root.height)] if root.height is not None else []


def _open(tree: Tree, stack: list[_Item]) -> None:
    """Replace the next subtree with its contents."""
    _, cid, height = stack.pop()
    node = tree.child(cid, height, b"", None)
    for index in range(len(node.keys), -1, -1):
        if index < len(node.keys):
            stack.append((node.keys[index], node.values[index], _ENTRY))
        child = node.children[index]
        if child is not None:
            stack.append((b"", child, height - 1))


def _remaining_entries(tree: Tree, stack: list[_Item]) -> Iterator[tuple[bytes, Cid]]:
    """Yield all remaining entries of one tree after the other tree has ended."""
    while stack:
        if stack[-1][2] == _ENTRY:
            key, value, _ = stack.pop()
            yield key, value
        else:
            _open(tree, stack)
