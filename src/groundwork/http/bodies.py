"""Request bodies, limited while they are read. The limit counts *decoded* bytes.

The application wraps ``receive`` once, so that every way of reading (stream, whole body, form) is limited and sees
plain bytes. A compressed body is decompressed in small chunks, so a decompression bomb uses no more memory than the
limit.
"""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from groundwork.errors import InvalidInput, TooLarge
from groundwork.http.decompression import DECOMPRESSED, Decompressor, decompressor_of

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


class _DecompressedBody:
    """Passes on the decoded chunks of compressed bodies. Rejects bodies that are too large, corrupt or truncated."""

    __slots__ = ("_decompressor", "_left", "_limit", "_more", "_receive")

    def __init__(self, receive: Receive, limit: int, decompressor: Decompressor) -> None:
        self._receive = receive
        self._limit = limit
        self._left = limit
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
        piece = self._decompressor.decompress(received, min(_PIECE_BYTES, self._left + 1))
        self._left -= len(piece)
        if self._left < 0:
            raise too_large(self._limit)
        goes_on = not self._decompressor.needs_input or self._more
        if not goes_on and not self._decompressor.is_complete:
            raise InvalidInput("", "The compressed body ends too early.")
        return {"type": "http.request", "body": piece, "more_body": goes_on}
