"""Bodies folded with gzip where whoever asked can unfold them (RFC 9110, section 12.5.3).

Only what is large enough to be worth it, and only whole bodies: streams of blocks are hashes and signatures, which do not
get smaller.
"""

import asyncio
import re
import zlib
from typing import Final

# Below this a packet is saved at most; folding costs more than it.
MIN_BYTES: Final = 2048
# Above it folding takes milliseconds, which others would wait for.
_ON_A_THREAD_BYTES: Final = 256 * 1024
# The fastest level: JSON gets to a fifth of its size with it, and to a sixth with the slowest.
_LEVEL: Final = 1

_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|x-gzip|\*)\s*(?:;\s*q\s*=\s*([0-9.]+))?\s*(?=,|$)", re.IGNORECASE)


def accepts_gzip(header: bytes | None) -> bool:
    """Whether an ``Accept-Encoding`` lets gzip in; without one nothing but the plain body is known to be read."""
    if header is None or b"gzip" not in header.lower():  # a bare * is met by nobody in practice
        return False
    found = _GZIP.search(header.decode("latin-1"))
    if found is None:
        return False
    try:
        return found[1] is None or float(found[1]) > 0
    except ValueError:
        return False


async def fold(body: bytes) -> bytes:
    """The body in gzip's form."""
    if len(body) > _ON_A_THREAD_BYTES:
        return await asyncio.to_thread(_fold, body)
    return _fold(body)


def _fold(body: bytes) -> bytes:
    folder = zlib.compressobj(_LEVEL, wbits=16 + zlib.MAX_WBITS)
    return folder.compress(body) + folder.flush()
