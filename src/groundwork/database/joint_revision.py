"""One revision number for several rows that are edited together."""

import hashlib


def joint_revision(*revised: tuple[str, int]) -> int:
    """A number that combines the revisions of these rows: (id, revision) of each that exists; 0 for none.

    It changes when one of them has a new revision or is replaced by another row. It does not grow monotonically.
    """
    if not revised:
        return 0
    digest = hashlib.sha256("\n".join(f"{name} {revision}" for name, revision in revised).encode()).digest()
    # Seven bytes: at most seventeen digits.
    return int.from_bytes(digest[:7])
