"""Request bodies, limited while they are read. The limit counts *decoded* bytes.

The application wraps ``receive`` once, so that every way of reading (stream, whole body, form) is limited and sees
plain bytes. A compressed body is decompressed in small chunks, so a decompression bomb uses no more memory than the
limit.
"""

import zlib
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from groundwork.errors import InvalidInput, TooLarge

# The most bytes that one call of ``receive`` decompresses.
_PIECE_BYTES: Final = 256 * 1024

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS

# A gzip body can consist of several members (RFC 1952 2.2). Each empty one takes 20 bytes and a new decompressor.
_MAX_MEMBERS: Final = 1000


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
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        raise HTTPException(415, headers={"accept-encoding": "gzip, deflate, identity"})
    plain = {
        **scope,
        "headers": [pair for pair in scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")],
    }
    return plain, _DecompressedBody(receive, limit, is_gzip=encoding != b"deflate")


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


class _DecompressedBody:
    """Passes on the decoded chunks of compressed bodies. Rejects bodies that are too large, corrupt or truncated."""

    __slots__ = ("_inside", "_left", "_limit", "_members_left", "_more", "_receive", "_unfold", "_waiting")

    def __init__(self, receive: Receive, limit: int, *, is_gzip: bool) -> None:
        self._receive = receive
        self._limit = limit
        self._left = limit
        self._unfold = zlib.decompressobj(_GZIP_WINDOW if is_gzip else zlib.MAX_WBITS)
        self._members_left = _MAX_MEMBERS - 1 if is_gzip else 0
        self._waiting = b""  # received, but not passed to zlib yet
        self._inside = False  # zlib might hold output that did not fit into the last chunk
        self._more = True

    async def __call__(self) -> Message:
        if not self._waiting and not self._inside:
            message = await self._receive()
            if message["type"] != "http.request" or not self._more:
                return message
            self._waiting = message.get("body", b"")
            self._more = message.get("more_body", False)
        room = min(_PIECE_BYTES, self._left + 1)
        try:
            piece = self._unfold.decompress(self._waiting, room)
        except zlib.error:
            raise InvalidInput("", "The compressed body is damaged.") from None
        self._left -= len(piece)
        if self._left < 0:
            raise too_large(self._limit)
        self._waiting = self._unfold.unconsumed_tail
        self._inside = len(piece) == room
        if self._unfold.unused_data:
            self._begin_member(self._unfold.unused_data)
        goes_on = bool(self._waiting) or self._inside or self._more
        if not goes_on and not self._unfold.eof:
            raise InvalidInput("", "The compressed body ends too early.")
        return {"type": "http.request", "body": piece, "more_body": goes_on}

    def _begin_member(self, rest: bytes) -> None:
        if not self._members_left:
            raise InvalidInput("", "There are bytes after the end of the compressed body, or it has too many parts.")
        self._members_left -= 1
        self._unfold = zlib.decompressobj(_GZIP_WINDOW)
        self._waiting, self._inside = rest, False
