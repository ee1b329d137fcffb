"""One revision number for several rows that are edited together."""

import hashlib


def joint_revision(*revised: tuple[str, int]) -> int:
    """Combine the revisions of several rows into one number: (id, revision) of each row that exists; 0 if there are
    none.

    The number changes when a row gets a new revision or is replaced by another row. It does not always increase.
    """
    if not revised:
        return 0
    digest = hashlib.sha256("\n".join(f"{name} {revision}" for name, revision in revised).encode()).digest()
    # Seven bytes: at most seventeen digits.
    return int.from_bytes(digest[:7])
