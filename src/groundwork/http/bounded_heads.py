"""Limits on the size and duration of request heads, on slow bodies and on slow readers ("slow loris").

uvicorn's parser itself buffers any number of megabytes and waits forever for the rest of a request. This module counts
the bytes since the parser's last progress: request line, headers, trailers. ``bodies`` limits the size of a body. This
module requires that the body arrives at a minimum rate while the application waits for it. Once the response has been
sent, only a limited amount of the body is read (RFC 9112 section 9.6: a server that closes continues reading for a
while, because otherwise the client might lose the response). A client that does not read its response is disconnected,
because the rest stays in memory.

A request must name exactly one host (RFC 9112 section 3.2). With two of them, a proxy and this server could choose
different ones.
"""

import asyncio
from typing import Final

from groundwork.http.joined_writes import JoiningProtocol

# Cookies, tokens and proofs together stay below 16 KiB. One read can exceed the limit by its own size.
MAX_HEAD_BYTES: Final = 64 * 1024

# A head fits into a few packets. A body over a bad mobile connection arrives at a few kilobytes per second.
HEAD_SECONDS = 30.0
BODY_SECONDS = 60.0
LEAST_BODY_BYTES_PER_SECOND = 1000
# How many bytes and for how long a client may continue sending a body after the response was sent. Some programs send
# the whole body before they read.
LEFTOVER_BYTES: Final = 64 * 1024 * 1024
LEFTOVER_SECONDS = 60.0
# How long a client may read nothing of a waiting response, or less than the system's buffers hold.
READING_SECONDS = 120.0
# Interval of the checks. Connections can end up to this much later than the limits say.
LOOK_SECONDS = 10.0

_TOO_LONG: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n"
    b"The headers are too long."
)
_TOO_SLOW: Final = (
    b"HTTP/1.1 408 Request Timeout\r\n"
    b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n"
    b"The request came too slowly."
)


class BoundedHeads(JoiningProtocol):
    """Protocol of one connection that enforces these limits."""

    _without_progress = 0
    _looking: asyncio.TimerHandle | None = None
    # When the current request began: the time of the connection, of its head or, after that, of its body.
    _began_at = 0.0
    _body_bytes = 0
    # How many body bytes arrived after the response was complete, and since when.
    _leftover_bytes = 0
    _leftover_since: float | None = None
    _has_begun = False
    _is_arriving = True
    _is_body = False
    # Since when there has been more to send than the client reads. While the connection closes: since when there has
    # been anything to send.
    _unread_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._began_at = self.loop.time()
        self._looking = self.loop.call_later(LOOK_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_looking()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._stop_looking()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        self._without_progress += len(data)
        super().data_received(data)
        if self._without_progress > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._has_begun = self._is_arriving = True
        self._is_body = False
        self._began_at = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            # The parser turns an exception of a callback into its own error, which is answered with 400.
            raise ValueError(f"{hosts} Host headers")
        self._without_progress = 0
        self._is_body, self._body_bytes = True, 0
        self._leftover_bytes, self._leftover_since = 0, None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._without_progress = 0
        self._body_bytes += len(body)
        super().on_body(body)
        # None, despite its type, if the first request is an upgrade.
        if self.cycle is not None and self.cycle.response_complete:  # type: ignore[redundant-expr]
            self._leftover_bytes += len(body)
            self._leftover_since = self._leftover_since or self.loop.time()
            if self._leftover_bytes > LEFTOVER_BYTES:
                self.transport.close()

    def on_message_complete(self) -> None:
        self._without_progress = 0
        self._is_arriving = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_since = None

    def _look(self) -> None:
        now = self.loop.time()
        is_closing = self.transport.is_closing()
        if is_closing and self._unread_since is None:
            self._unread_since = now
        if self._unread_since is not None and now - self._unread_since > READING_SECONDS:
            self.transport.abort()
            return
        if not is_closing and self._is_arriving and self._is_late(now):
            # A client that has sent nothing gets no response, because browsers open connections for later use.
            if self._has_begun and not (self._is_body and self.cycle.response_started):
                self.transport.write(_TOO_SLOW)
            self.transport.close()
        self._looking = self.loop.call_later(LOOK_SECONDS, self._look)

    def _is_late(self, now: float) -> bool:
        if not self._is_body:
            return now - self._began_at > HEAD_SECONDS
        if self._leftover_since is not None and now - self._leftover_since > LEFTOVER_SECONDS:
            return True
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            # The application has not asked for the rest yet, so the sender is not slow.
            self._began_at, self._body_bytes = now, 0
            return False
        return now - self._began_at > BODY_SECONDS + self._body_bytes / LEAST_BODY_BYTES_PER_SECOND

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
