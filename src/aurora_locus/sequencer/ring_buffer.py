"""Ring buffer of the newest frames, ordered by number. Pure.

It is bounded by count and by bytes. Numbers increase strictly but may have gaps (a purge, a restore), so positions are
found by search, not by subtraction.
"""

from bisect import bisect_right
from collections.abc import Set as AbstractSet

# Removing the head of a list moves everything after it. Doing so in batches makes the cost per frame constant.
_TRIM_STRIDE = 512


class RingBuffer:
    """The newest frames. ``head`` is the number of the last frame that was appended, even if none is kept."""

    def __init__(self, head: int, *, max_frames: int, max_bytes: int) -> None:
        self.head = head
        self._floor = head
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._numbers: list[int] = []
        self._frames: list[bytes] = []
        self._dropped = 0
        self._bytes = 0

    @property
    def floor(self) -> int:
        """The number above which the ring has every event. A subscriber that has seen ``floor`` can continue from the
        ring.
        """
        return self._floor

    def append(self, seq: int, frame: bytes) -> None:
        """Append the next frame. ``seq`` must be above ``head``. Drops the oldest frames that exceed the bounds."""
        self._numbers.append(seq)
        self._frames.append(frame)
        self._bytes += len(frame)
        self.head = seq
        frame_count = len(self._numbers) - self._dropped
        while frame_count > 1 and (frame_count > self._max_frames or self._bytes > self._max_bytes):
            self._floor = self._numbers[self._dropped]
            self._bytes -= len(self._frames[self._dropped])
            self._frames[self._dropped] = b""
            self._dropped += 1
            frame_count -= 1
        if self._dropped >= _TRIM_STRIDE:
            del self._numbers[: self._dropped]
            del self._frames[: self._dropped]
            self._dropped = 0

    def after(self, position: int, limit: int) -> list[tuple[int, bytes]] | None:
        """Return up to ``limit`` frames above ``position``; None if ``position`` is below the floor."""
        if position < self._floor:
            return None
        if position >= self.head:
            return []
        start = max(bisect_right(self._numbers, position), self._dropped)
        return list(zip(self._numbers[start : start + limit], self._frames[start : start + limit], strict=True))

    def numbers(self) -> list[int]:
        """The numbers of all frames in the ring."""
        return self._numbers[self._dropped :]

    def forget(self, numbers: AbstractSet[int]) -> None:
        """Remove frames that were purged from the log (an account was deleted)."""
        kept_indexes = [
            index for index in range(self._dropped, len(self._numbers)) if self._numbers[index] not in numbers
        ]
        self._frames = [self._frames[index] for index in kept_indexes]
        self._numbers = [self._numbers[index] for index in kept_indexes]
        self._dropped = 0
        self._bytes = sum(map(len, self._frames))
