"""An end to how long a request's head may be: uvicorn's parser itself takes any number of megabytes into memory.

Counted are bytes that came without any progress that the parser tells of: the request line, headers, trailers. A body
is bounded elsewhere (``bodies``), piece by piece as it comes.
"""

from typing import Final

from groundwork.http.joined_writes import JoiningProtocol

# Cookies, tokens and proofs together stay below 16 KiB; what arrives in one read may go beyond by that read.
MAX_HEAD_BYTES: Final = 64 * 1024

_REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n"
    b"The headers are too long."
)


class BoundedHeads(JoiningProtocol):
    """The protocol of one connection, refusing heads without end."""

    _without_progress = 0

    def data_received(self, data: bytes) -> None:
        self._without_progress += len(data)
        super().data_received(data)
        if self._without_progress > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_REFUSAL)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._without_progress = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._without_progress = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._without_progress = 0
        super().on_message_complete()
