"""Decompression of request bodies in small pieces: gzip and deflate (RFC 1952, RFC 1950), and Brotli (RFC 7932) if the
package ``brotli`` is installed.
"""

import zlib
from typing import Final, Protocol

from groundwork.errors import InvalidInput

try:
    import brotli
except ImportError:  # a platform without a wheel or a compiler
    brotli = None

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS

# A gzip body can consist of several members (RFC 1952 2.2). Each empty one takes 20 bytes and a new decompressor.
_MAX_MEMBERS: Final = 1000

# What ``Content-Encoding`` may say.
DECOMPRESSED: Final = ("gzip", "x-gzip", "deflate", *(("br",) if brotli is not None else ()))


class Decompressor(Protocol):
    """The state of one compressed body."""

    @property
    def needs_input(self) -> bool:
        """False while it holds output that did not fit into the last piece."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether the end of the body was found."""
        ...

    def decompress(self, received: bytes, room: int) -> bytes:
        """Return the next piece, which may be empty, with about ``room`` bytes at most. Unless ``needs_input``, call it
        with empty input. Raises InvalidInput.
        """
        ...


def decompressor_of(encoding: str) -> Decompressor:
    """The decompressor for one of ``DECOMPRESSED``."""
    return _Brotli() if encoding == "br" else _Zlib(is_gzip=encoding != "deflate")


class _Zlib:
    __slots__ = ("_inside", "_members_left", "_unfold", "_waiting")

    def __init__(self, *, is_gzip: bool) -> None:
        self._unfold = zlib.decompressobj(_GZIP_WINDOW if is_gzip else zlib.MAX_WBITS)
        self._members_left = _MAX_MEMBERS - 1 if is_gzip else 0
        self._waiting = b""  # received, but not passed to zlib yet
        self._inside = False  # zlib might hold output that did not fit into the last piece

    @property
    def needs_input(self) -> bool:
        return not self._waiting and not self._inside

    @property
    def is_complete(self) -> bool:
        return self._unfold.eof

    def decompress(self, received: bytes, room: int) -> bytes:
        try:
            piece = self._unfold.decompress(self._waiting or received, room)
        except zlib.error:
            raise _damaged() from None
        self._waiting = self._unfold.unconsumed_tail
        self._inside = len(piece) == room
        if self._unfold.unused_data:
            self._begin_member(self._unfold.unused_data)
        return piece

    def _begin_member(self, rest: bytes) -> None:
        if not self._members_left:
            raise InvalidInput("", "There are bytes after the end of the compressed body, or it has too many parts.")
        self._members_left -= 1
        self._unfold = zlib.decompressobj(_GZIP_WINDOW)
        self._waiting, self._inside = rest, False


class _Brotli:
    """Pieces can be larger than ``room`` by one block of output (32 kB)."""

    __slots__ = ("_unfold",)

    def __init__(self) -> None:
        self._unfold = brotli.Decompressor()

    @property
    def needs_input(self) -> bool:
        return bool(self._unfold.can_accept_more_data())

    @property
    def is_complete(self) -> bool:
        return bool(self._unfold.is_finished())

    def decompress(self, received: bytes, room: int) -> bytes:
        try:
            return bytes(self._unfold.process(received, output_buffer_limit=room))
        except brotli.error:
            raise _damaged() from None


def _damaged() -> InvalidInput:
    return InvalidInput("", "The compressed body is damaged.")
