"""Jetstream client: raw JSON lines, compressed by the socket or with zstd.

Source: Jetstream documentation. zstd needs the server's dictionary, which the operator provides; without it the client
offers permessage-deflate. ``at_protocol.sync.jetstream`` decodes the lines.
"""

import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

from aiohttp import WSMsgType

from at_network.event_stream import CONNECT_SECONDS, HEARTBEAT_SECONDS, ignore_opening, raise_unless_ended
from groundwork.errors import FailureReason, Refused, RemoteFailed, with_stored_reason
from groundwork.http.client import HttpClient

PATH = "/subscribe"
# A record has at most 1 MB of CBOR. As JSON, with base64 bytes and escaped text, it is never larger than this.
MAX_LINE_BYTES = 8_000_000

Unpack = Callable[[bytes], bytes]


def subscribe_url(service: str, query: str) -> str:
    """Return the URL of a Jetstream server's stream, ``wss://host/subscribe?…``. The server's origin can use ``http``
    or ``ws`` schemes.
    """
    scheme, _, rest = service.rstrip("/").partition("://")
    return f"{({'https': 'wss', 'http': 'ws'}).get(scheme, scheme)}://{rest}{PATH}" + (f"?{query}" if query else "")


async def read_lines(
    http: HttpClient, url: str, unpack: Unpack | None = None, *, on_open: Callable[[], Awaitable[None]] = ignore_opening
) -> AsyncGenerator[str | bytes, None]:
    """Yield the lines of one connection until the server closes it. If ``unpack`` is given, zstd is requested.
    ``on_open`` is called when the connection is open, before the first line.

    Raises RemoteFailed (no connection, an HTTP status instead of an upgrade, a line over 8 MB or one that cannot be
    decompressed, a broken connection) and RemoteSlow.
    """
    if unpack is not None:
        url += ("&" if "?" in url else "?") + "compress=true"
    async with http.websocket(
        url,
        connect_seconds=CONNECT_SECONDS,
        max_message_bytes=MAX_LINE_BYTES + 1,
        heartbeat_seconds=HEARTBEAT_SECONDS,
        is_deflated=unpack is None,
    ) as socket:
        await on_open()
        while True:
            message = await socket.receive()
            if message.type is WSMsgType.TEXT:
                yield message.data
            elif message.type is WSMsgType.BINARY:
                if unpack is None:
                    failed = RemoteFailed("The stream sent compressed lines that were not requested.")
                    raise with_stored_reason(failed, FailureReason.STREAM_UNREADABLE())
                yield unpack(message.data)
            else:
                raise_unless_ended(socket)
                return


def unpacker(dictionary: Path) -> Unpack:
    """Return a decompressor that uses the operator's dictionary. Raises Refused if the optional package or the file is
    missing.
    """
    try:
        # The zstd library is an optional extra. Everything else works without it.
        zstandard = importlib.import_module("zstandard")
    except ModuleNotFoundError as missing:
        raise Refused("A Jetstream dictionary needs an optional package: run make services.") from missing
    try:
        compression_dictionary = zstandard.ZstdCompressionDict(dictionary.read_bytes())
    except OSError as error:
        raise Refused(f"The Jetstream dictionary {dictionary} cannot be read: {error.strerror}.") from error
    decompressor = zstandard.ZstdDecompressor(dict_data=compression_dictionary)

    def unpack(packed: bytes) -> bytes:
        try:
            # Decompression allocates the size that a frame declares, so a frame that declares too much is rejected.
            if zstandard.frame_content_size(packed) > MAX_LINE_BYTES:
                too_long = RemoteFailed(f"The stream sent a line of more than {MAX_LINE_BYTES} bytes.")
                raise with_stored_reason(too_long, FailureReason.STREAM_MESSAGE_TOO_LONG(most=MAX_LINE_BYTES))
            unpacked: bytes = decompressor.decompress(packed, max_output_size=MAX_LINE_BYTES)
        except zstandard.ZstdError as wrong:
            failed = RemoteFailed("The stream sent a line that cannot be decompressed with the dictionary.")
            raise with_stored_reason(failed, FailureReason.STREAM_UNREADABLE()) from wrong
        return unpacked

    return unpack
