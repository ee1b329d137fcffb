"""Limit of open streams per address, over all kinds of stream, because each stream can make the server read the whole
log.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from groundwork.errors import TooMany
from groundwork.http.addresses import network_of

# A reader needs only one or two.
STREAMS_OF_AN_ADDRESS = 200


class StreamSlots:
    """The open streams of one server, counted by the network of the reader."""

    def __init__(self, *, is_limited: bool) -> None:
        self._is_limited = is_limited
        self._open: Counter[str] = Counter()

    @contextmanager
    def held(self, address: str) -> Iterator[None]:
        """Hold one of the reader's slots for the duration of the block. Raises TooMany."""
        network = network_of(address)
        if self._is_limited and self._open[network] >= STREAMS_OF_AN_ADDRESS:
            why = f"One address can have at most {STREAMS_OF_AN_ADDRESS} open streams. Close one first."
            raise TooMany(why, after_seconds=60)
        self._open[network] += 1
        try:
            yield
        finally:
            self._open[network] -= 1
            if not self._open[network]:
                del self._open[network]
