"""Operation inversion: undo a commit's operations on the partial tree sent with it, to verify that they are complete.

Source: sync specification, "Operation inversion". A consumer that does not have the tree can verify in this way that
only these operations lead from the last root that it has seen (``prevData``) to the signed root (``data``).
"""

from collections.abc import Iterable

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.change import RepoChange
from at_protocol.repo.edit import root_after
from at_protocol.repo.mst import MissingBlock, Tree


def check_claims(tree: Tree, changes: Iterable[RepoChange]) -> None:
    """Verify that the new tree matches each change, and that no path occurs twice. Raises Malformed."""
    seen_paths: set[str] = set()
    for change in changes:
        if change.path in seen_paths:
            raise Malformed("commit", change.path, "two operations on one path cannot be inverse")
        seen_paths.add(change.path)
        try:
            current = tree.get(change.path)
        except MissingBlock as missing:
            raise Malformed("commit", str(missing.cid), f"a node on the path to {change.path} was not sent") from None
        if current != change.after:
            raise Malformed(
                "commit",
                change.path,
                f"the tree has {current or 'nothing'}, the operation says {change.after or 'nothing'}",
            )


def undo_changes(tree: Tree, changes: Iterable[RepoChange]) -> Cid:
    """Return the root before the changes. Raises Malformed if they do not match the tree or a needed node was not sent."""
    order = sorted((change.inverse() for change in changes), key=_undo_order)
    if not order:
        return tree.root  # a commit that changes nothing does not have to include any node
    try:
        return root_after(tree, order)
    except MissingBlock as missing:
        raise Malformed("commit", str(missing.cid), "a node that undoing the operations needs was not sent") from None


def check_inversion(tree: Tree, changes: Iterable[RepoChange], prev_data: Cid) -> None:
    """Verify that undoing the changes leads from the tree to ``prev_data``. Raises Malformed."""
    before = undo_changes(tree, changes)
    if before != prev_data:
        raise Malformed("commit", str(before), f"undoing the operations does not lead to prevData {prev_data}")


def _undo_order(change: RepoChange) -> int:
    """Sort key: deletions are undone first, then updates, then creations."""
    if change.before is None:
        return 0
    return 1 if change.after is not None else 2
