"""Response compression with Brotli or gzip, whichever the client prefers (RFC 9110, section 12.5.3; RFC 7932, RFC
1952).

Only large responses are compressed. The PDS compresses whole bodies with gzip using ``compress_gzip``; its block
streams are hashes and signatures, which do not compress. A site wraps its routes with ``compressed``. Without the
package ``brotli``, which needs a C compiler on platforms without a wheel, only gzip is used.
"""

import asyncio
import re
import zlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from starlette.middleware.gzip import GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Receive, Scope, Send

try:
    import brotli
except ImportError:  # a platform without a wheel or a compiler
    brotli = None

# For a smaller body, compression saves at most one packet and costs more than that.
MIN_BYTES: Final = 2048
# Above this size, compression would block the event loop for milliseconds.
_ON_A_THREAD_BYTES: Final = 256 * 1024
# The fastest level. It reduces JSON to a fifth of its size; the slowest level reduces it to a sixth.
_LEVEL: Final = 1

# HTML is repetitive: for half a millisecond more, the result is a tenth smaller than at the fastest level.
_PAGE_LEVEL: Final = 4
# Takes as long as gzip at twice this level, and the result is a tenth smaller than gzip's best.
_PAGE_QUALITY: Final = 5
# For files that are compressed once and kept: the slowest level. Brotli takes 0.2 s for 100 kB of CSS.
_FILE_LEVEL: Final = 9
_FILE_QUALITY: Final = 11


class Encoding(StrEnum):
    """The content codings that we use, as ``Content-Encoding`` names them."""

    BROTLI = "br"
    GZIP = "gzip"


# In order of our preference, for clients without one.
ENCODINGS: Final = tuple(Encoding) if brotli is not None else (Encoding.GZIP,)

_NAMES: Final[Mapping[str, Encoding]] = {"br": Encoding.BROTLI, "gzip": Encoding.GZIP, "x-gzip": Encoding.GZIP}
_WEIGHT: Final = re.compile(r"\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)
_MAX_CODINGS: Final = 20


def chosen_encoding(header: str) -> Encoding | None:
    """Return the coding for an ``Accept-Encoding`` header, or None if it allows none of ours.

    The coding with the highest weight is used; with equal weights, Brotli before gzip. A bare ``*`` names no coding,
    and no browser sends it, so such a client gets the plain body.
    """
    weights: dict[Encoding, float] = {}
    for part in header.split(",")[:_MAX_CODINGS]:
        name, _, parameter = part.partition(";")
        encoding = _NAMES.get(name.strip().lower())
        if encoding is None or encoding not in ENCODINGS:
            continue
        weight = _WEIGHT.fullmatch(parameter)
        # Invalid entries are ignored.
        weights[encoding] = float(weight[1]) if weight else 0.0 if parameter.strip() else 1.0
    best = max(ENCODINGS, key=lambda one: weights.get(one, 0.0))
    return best if weights.get(best, 0.0) > 0 else None


def accepts_gzip(header: bytes | None) -> bool:
    """Whether an ``Accept-Encoding`` header allows gzip. If it is missing, only the plain body is safe."""
    if header is None or b"gzip" not in header.lower():
        return False
    without_brotli = ",".join(part for part in header.decode("latin-1").split(",") if not part.strip().startswith("br"))
    return chosen_encoding(without_brotli) is Encoding.GZIP


async def compress_gzip(body: bytes) -> bytes:
    """Compress a body with gzip at the fastest level."""
    return await _placed(_gzipped, body, _LEVEL)


async def encoded(body: bytes, encoding: Encoding) -> bytes:
    """Compress a body with this coding, at the levels for pages."""
    return await _placed(_COMPRESS[encoding], body, _PAGE[encoding])


def file_bodies(body: bytes) -> dict[Encoding, bytes]:
    """Compress a file with every coding, as small as possible. Slow."""
    return {one: _COMPRESS[one](body, _FILE[one]) for one in ENCODINGS}


async def _placed(compress: Callable[[bytes, int], bytes], body: bytes, level: int) -> bytes:
    if len(body) > _ON_A_THREAD_BYTES:
        return await asyncio.to_thread(compress, body, level)
    return compress(body, level)


def _gzipped(body: bytes, level: int) -> bytes:
    folder = zlib.compressobj(level, wbits=16 + zlib.MAX_WBITS)
    return folder.compress(body) + folder.flush()


def _brotlied(body: bytes, quality: int) -> bytes:
    return bytes(brotli.compress(body, mode=brotli.MODE_TEXT, quality=quality))


_COMPRESS: Final = {Encoding.BROTLI: _brotlied, Encoding.GZIP: _gzipped}
_PAGE: Final = {Encoding.BROTLI: _PAGE_QUALITY, Encoding.GZIP: _PAGE_LEVEL}
_FILE: Final = {Encoding.BROTLI: _FILE_QUALITY, Encoding.GZIP: _FILE_LEVEL}


def compressed(app: ASGIApp) -> ASGIApp:
    """Wrap an application to compress its responses if the client accepts it. Pictures, archives and event streams stay
    uncompressed.

    Responses are not compressed if another site made a signed-in browser send the request: someone who can choose part
    of a response and see its compressed length could guess secrets in it (BREACH, CVE-2013-3587).
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_asked_from_elsewhere(scope):
            await app(scope, receive, send)
            return
        accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
        await _responder(app, chosen_encoding(accepted.decode("latin-1")))(scope, receive, send)

    return answer


def _responder(app: ASGIApp, encoding: Encoding | None) -> ASGIApp:
    if encoding is Encoding.BROTLI:
        return _BrotliResponder(app, MIN_BYTES)
    if encoding is Encoding.GZIP:
        return GZipResponder(app, MIN_BYTES, _PAGE_LEVEL, thread_minimum_size=_ON_A_THREAD_BYTES)
    return IdentityResponder(app, MIN_BYTES)


class _BrotliResponder(IdentityResponder):
    """Starlette's response compression, with Brotli added."""

    content_encoding = Encoding.BROTLI.value
    _compressor: Any = None

    async def apply_compression(self, body: bytes, *, more_body: bool) -> bytes:
        if self._compressor is None:
            self._compressor = brotli.Compressor(mode=brotli.MODE_TEXT, quality=_PAGE_QUALITY)
        if len(body) > _ON_A_THREAD_BYTES:
            return await asyncio.to_thread(self._compress, body, more_body=more_body)
        return self._compress(body, more_body=more_body)

    def _compress(self, body: bytes, *, more_body: bool) -> bytes:
        begun = self._compressor.process(body)
        return bytes(begun + (self._compressor.flush() if more_body else self._compressor.finish()))


def _is_asked_from_elsewhere(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"cookie" in headers and headers.get(b"sec-fetch-site") == b"cross-site"
