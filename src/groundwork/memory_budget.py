"""A limit of the memory that many tasks use together, for what they hold while strangers read slowly.

A task takes at most a part of what is left, so that the first few do not use it up. It is never refused: if nothing is
left, it works with as little as possible.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

# The part of what is left that one task may take.
_SHARE: Final = 4


class MemoryBudget:
    """``left`` is the number of bytes that are not in use. It is negative if tasks need more than there is."""

    def __init__(self, max_bytes: int) -> None:
        self.left = max_bytes

    def share(self, most_bytes: int) -> int:
        """Return how many bytes a task may take now: ``most_bytes``, or fewer; 0 if nothing is left."""
        return max(0, min(most_bytes, self.left // _SHARE))

    @contextmanager
    def held(self, size_bytes: int = 0) -> Iterator[Callable[[int], None]]:
        """Count so many bytes as in use for the duration of the block. Call the yielded function to change the
        number.
        """
        held_bytes = 0

        def hold(new_bytes: int) -> None:
            nonlocal held_bytes
            self.left += held_bytes - new_bytes
            held_bytes = new_bytes

        hold(size_bytes)
        try:
            yield hold
        finally:
            hold(0)
