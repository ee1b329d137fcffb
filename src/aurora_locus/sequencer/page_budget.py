"""Pages of the log for subscribers below the ring: how large they are, and how many are read at once.

Anybody can open hundreds of streams at any position and read slowly. So the pages that are in memory share one budget:
the more of it is in use, the smaller is the next page. The smallest still contains one frame, however large. Only a few
pages are read at a time, so that other requests find a free connection to the database.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aurora_locus.sequencer import queries
from groundwork.database.transaction import Database

# Pages of ordinary frames, which have one to three kilobytes, are limited by number, which costs less.
MAX_FRAMES = 500
MAX_PAGE_BYTES = 2 * 1024 * 1024
_MIN_PAGE_BYTES = 64 * 1024
_BUDGET_BYTES = 64 * 1024 * 1024
# A new page takes at most this part of what is left, so that the budget is not used up by the first few.
_SHARE = 4
_READS_AT_ONCE = 2

Page = Sequence[tuple[int, bytes]]


class PageBudget:
    """The pages of one process and log."""

    def __init__(self, max_bytes: int = _BUDGET_BYTES) -> None:
        self._left = max_bytes
        self._turns = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(self, db: Database, position: int) -> Page:
        """Read the next events above ``position``, in order. Raises what the database raises."""
        async with self._turns:
            max_bytes = max(_MIN_PAGE_BYTES, min(MAX_PAGE_BYTES, self._left // _SHARE))
            return await queries.page(db, position, MAX_FRAMES, max_bytes=max_bytes)

    @contextmanager
    def held(self, page: Page) -> Iterator[None]:
        """Count a page as in memory for the duration of the block."""
        size = sum(len(frame) for _, frame in page)
        self._left -= size
        try:
            yield
        finally:
            self._left += size
