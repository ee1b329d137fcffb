"""Request bodies, limited while they are read. The limit counts *decoded* bytes, and apart from them those that arrive.

The application wraps ``receive`` once, so that every way of reading (stream, whole body, form) is limited and sees
plain bytes. A compressed body is decompressed in small chunks, so a decompression bomb uses no more memory than the
limit: gzip and deflate (RFC 1952, RFC 1950), and Brotli (RFC 7932) if the package ``brotli`` is installed. A body that
decompresses to nothing, such as a gzip header without an end, ends at the limit too.
"""

import zlib
from typing import Final, Protocol

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from groundwork.errors import InvalidInput, TooLarge

try:
    import brotli
except ImportError:  # a platform without a wheel or a compiler
    brotli = None

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS

# A gzip body can consist of several members (RFC 1952 2.2). Each empty one takes 20 bytes and a new decompressor.
_MAX_MEMBERS: Final = 1000

# What ``Content-Encoding`` may say.
DECOMPRESSED: Final = ("gzip", "x-gzip", "deflate", *(("br",) if brotli is not None else ()))

# The most bytes that one call of ``receive`` decompresses.
_PIECE_BYTES: Final = 256 * 1024


def too_large(limit: int) -> TooLarge:
    """Return the failure for a body that exceeds its limit."""
    return TooLarge(f"The body is larger than the {limit} bytes allowed here.")


def limit_body(scope: Scope, receive: Receive, limit: int) -> tuple[Scope, Receive]:
    """Return the scope and ``receive`` to pass on. Raises ``TooLarge`` at once if ``Content-Length`` exceeds the limit.

    If there is a ``Content-Encoding``, the new scope omits that header and the length, which describe the encoded
    bytes.
    """
    encoding = b""
    length = b""
    chunked = False
    for name, value in scope["headers"]:
        if name == b"content-encoding":
            # Repeated headers form one list (RFC 9110 5.3), and a list of two encodings is not supported below.
            encoding = encoding + b"," + value if encoding else value
        elif name == b"content-length":
            length = value
        elif name == b"transfer-encoding":
            chunked = True
    if not chunked and length in (b"", b"0"):
        return scope, receive
    encoding = encoding.strip().lower()
    if length.isdigit() and int(length) > limit:
        # Compressed data above the limit also exceeds it when decompressed.
        raise too_large(limit)
    if encoding in (b"", b"identity"):
        return scope, _CountedBody(receive, limit)
    named = encoding.decode("latin-1")
    if named not in DECOMPRESSED:
        accepted = ", ".join(one for one in (*DECOMPRESSED, "identity") if one != "x-gzip")
        raise HTTPException(415, headers={"accept-encoding": accepted})
    plain = {
        **scope,
        "headers": [pair for pair in scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")],
    }
    return plain, _DecompressedBody(receive, limit, decompressor_of(named))


class _CountedBody:
    """Counts plain bodies and passes them on."""

    __slots__ = ("_left", "_limit", "_receive")

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._left = limit

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise too_large(self._limit)
        return message


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


class _DecompressedBody:
    """Passes on the decoded chunks of compressed bodies. Rejects bodies that are too large, corrupt or truncated."""

    __slots__ = ("_decompressor", "_left", "_limit", "_more", "_receive", "_undecoded_left")

    def __init__(self, receive: Receive, limit: int, decompressor: Decompressor) -> None:
        self._receive = receive
        self._limit = limit
        self._left = limit
        self._undecoded_left = limit
        self._decompressor = decompressor
        self._more = True

    async def __call__(self) -> Message:
        received = b""
        if self._decompressor.needs_input:
            message = await self._receive()
            if message["type"] != "http.request" or not self._more:
                return message
            received = message.get("body", b"")
            self._more = message.get("more_body", False)
            self._undecoded_left -= len(received)
        piece = self._decompressor.decompress(received, min(_PIECE_BYTES, self._left + 1))
        self._left -= len(piece)
        if self._left < 0 or self._undecoded_left < 0:
            raise too_large(self._limit)
        goes_on = not self._decompressor.needs_input or self._more
        if not goes_on and not self._decompressor.is_complete:
            raise InvalidInput("", "The compressed body ends too early.")
        return {"type": "http.request", "body": piece, "more_body": goes_on}


def _damaged() -> InvalidInput:
    return InvalidInput("", "The compressed body is damaged.")
