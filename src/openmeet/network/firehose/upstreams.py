"""Which streams are followed, whom each may speak for, and where one that was never read begins.

A PDS speaks for the accounts that are on it now, and for no others: what it sends is believed only if the author's DID
document names this very host. A relay forwards what others signed; any author may come through it. A stream in a
development network may come from another address than the documents name: then the public one is given beside it,
``ws://inner=https://public``.

A Jetstream server is told apart by its setting: it speaks for nobody, and what it says is unverified (``jetstream``).

A PDS is read from its beginning, or accounts whose only event is old would never be met. A relay carries the whole
network: it is read from now on unless the operator asks for its memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from at_protocol.failures import Malformed
from at_protocol.sync.verify import FULL, Care

_SECURE = {"https": "https", "wss": "https", "http": "http", "ws": "http"}
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Upstream:
    """One stream. ``sender``: the PDS that speaks in it, as ``host:port``; None for a relay.

    ``first_cursor``: where to begin when it was never read; None is now. ``care``: how much of each commit is checked.
    """

    url: str
    sender: str | None
    first_cursor: int | None
    care: Care = FULL


def upstreams(
    pdses: Sequence[str], relays: Sequence[str], *, relays_from_the_start: bool, relay_care: Care = FULL
) -> Iterator[Upstream]:
    """From the settings; a PDS's own stream is always checked in full. Raises Malformed for what is no address."""
    for text in pdses:
        url, _, public = text.partition("=")
        authority(url)
        yield Upstream(url, authority(public or url), first_cursor=0)
    for url in relays:
        authority(url)
        yield Upstream(url, None, first_cursor=0 if relays_from_the_start else None, care=relay_care)


def authority(url: str) -> str:
    """``host:port`` of an origin, so that every spelling of one compares equal. Raises Malformed."""
    parts = urlsplit(url)
    scheme = _SECURE.get(parts.scheme)
    try:
        port = parts.port
    except ValueError:
        raise Malformed("address", url, "its port is not a number") from None
    if scheme is None or not parts.hostname or parts.path.rstrip("/") or parts.query or parts.fragment:
        raise Malformed("address", url, "not ws(s):// or http(s):// with a host and no path")
    return f"{parts.hostname.lower().rstrip('.')}:{port or _DEFAULT_PORTS[scheme]}"
