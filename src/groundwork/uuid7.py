"""UUIDv7: the identifier of every row of the platform (RFC 9562, section 5.7).

The time comes first, so new rows are at the end of an index. Within a process, identifiers always increase, even if
many are created in one microsecond or the clock goes back (RFC 9562, section 6.2, method 3 with a carry into the
fraction).
"""

import os
import threading

from groundwork.clock import Instant

_lock = threading.Lock()
_last = 0


def new_id(now: Instant) -> str:
    """Return a new id: 36 characters, lower-case hexadecimal with hyphens."""
    return new_ids(now, 1)[0]


def new_ids(now: Instant, count: int) -> list[str]:
    """Return several new ids in increasing order."""
    global _last  # noqa: PLW0603  # "within one process" is what the guarantee is about
    milliseconds, microseconds = divmod(now, 1000)
    # Twelve bits of sub-millisecond fraction: 4096 steps for 1000 microseconds.
    clock_value = (milliseconds << 12) | (microseconds * 4096 // 1000)
    with _lock:
        first = max(clock_value, _last + 1)
        _last = first + count - 1
    random_bytes = os.urandom(8 * count)
    return [_written(first + index, random_bytes[8 * index : 8 * index + 8]) for index in range(count)]


def _written(clock_value: int, random_bytes: bytes) -> str:
    random = int.from_bytes(random_bytes) & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{((clock_value >> 12) << 80) | (0x7 << 76) | ((clock_value & 0xFFF) << 64) | (0b10 << 62) | random:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
