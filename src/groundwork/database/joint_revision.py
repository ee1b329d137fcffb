"""One revision for several rows that are edited together."""

import hashlib


def joint_revision(*revised: tuple[str, int]) -> int:
    """One number in the place of a revision, for what several rows decide together: (id, revision) of each that there is; 0 for none.

    It is another one as soon as one of them has a new revision, or another row takes its place. It does not grow.
    """
    if not revised:
        return 0
    digest = hashlib.sha256("\n".join(f"{name} {revision}" for name, revision in revised).encode()).digest()
    # Seven bytes: at most seventeen digits.
    return int.from_bytes(digest[:7])
