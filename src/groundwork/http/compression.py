"""Response compression with gzip where the client accepts it (RFC 9110, section 12.5.3).

Only for responses that are large enough. The PDS compresses whole bodies with :func:`fold`; its block streams are
hashes and signatures, which do not shrink. A site wraps its routes with :func:`compressed`.
"""

import asyncio
import re
import zlib
from typing import Final

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

# A smaller body saves one packet at most; compressing costs more.
MIN_BYTES: Final = 2048
# Above it compression takes milliseconds of the event loop.
_ON_A_THREAD_BYTES: Final = 256 * 1024
# The fastest level: JSON gets to a fifth of its size with it, and to a sixth with the slowest.
_LEVEL: Final = 1

# HTML is repetitive: half a millisecond more for a tenth less than at the fastest level.
_PAGE_LEVEL: Final = 4

_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|x-gzip|\*)\s*(?:;\s*q\s*=\s*([0-9.]+))?\s*(?=,|$)", re.IGNORECASE)


def accepts_gzip(header: bytes | None) -> bool:
    """Whether an ``Accept-Encoding`` allows gzip; without the header only the plain body is safe."""
    if header is None or b"gzip" not in header.lower():  # no real client sends a bare *
        return False
    found = _GZIP.search(header.decode("latin-1"))
    if found is None:
        return False
    try:
        return found[1] is None or float(found[1]) > 0
    except ValueError:
        return False


async def fold(body: bytes) -> bytes:
    """Compress the body with gzip."""
    if len(body) > _ON_A_THREAD_BYTES:
        return await asyncio.to_thread(_fold, body)
    return _fold(body)


def _fold(body: bytes) -> bytes:
    folder = zlib.compressobj(_LEVEL, wbits=16 + zlib.MAX_WBITS)
    return folder.compress(body) + folder.flush()


def compressed(app: ASGIApp) -> ASGIApp:
    """The same application with gzip responses where the client accepts it; pictures, archives and event streams stay
    plain.

    Not compressed are responses to requests that another site made a signed-in browser send: anyone who can choose part of
    a response and see its compressed length could guess the secrets in it (BREACH, CVE-2013-3587).
    """
    compressing = GZipMiddleware(app, minimum_size=MIN_BYTES, compresslevel=_PAGE_LEVEL)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await (app if _is_asked_from_elsewhere(scope) else compressing)(scope, receive, send)

    return answer


def _is_asked_from_elsewhere(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"cookie" in headers and headers.get(b"sec-fetch-site") == b"cross-site"
