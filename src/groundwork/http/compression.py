"""Bodies compressed with gzip where the client accepts it (RFC 9110, section 12.5.3).

Only what is large enough to be worth it. The PDS compresses whole bodies by :func:`fold`: its streams of blocks are hashes and
signatures, which do not get smaller. A site puts :func:`compressed` around its routes.
"""

import asyncio
import re
import zlib
from typing import Final

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

# Below this a packet is saved at most; folding costs more than it.
MIN_BYTES: Final = 2048
# Above it folding takes milliseconds, which others would wait for.
_ON_A_THREAD_BYTES: Final = 256 * 1024
# The fastest level: JSON gets to a fifth of its size with it, and to a sixth with the slowest.
_LEVEL: Final = 1

# Pages are read once and HTML repeats itself: half a millisecond more for a tenth less than at the fastest level.
_PAGE_LEVEL: Final = 4

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


def compressed(app: ASGIApp) -> ASGIApp:
    """The same application, answering in gzip where the client accepts it; pictures, archives and event streams stay as they are.

    Left alone is what another site had a signed-in browser ask for: whoever can make it ask for a text of their choice and
    see how long the answer is could guess the secrets beside that text (BREACH, CVE-2013-3587).
    """
    compressing = GZipMiddleware(app, minimum_size=MIN_BYTES, compresslevel=_PAGE_LEVEL)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await (app if _is_asked_from_elsewhere(scope) else compressing)(scope, receive, send)

    return answer


def _is_asked_from_elsewhere(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"cookie" in headers and headers.get(b"sec-fetch-site") == b"cross-site"
