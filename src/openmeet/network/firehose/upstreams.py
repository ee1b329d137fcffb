"""The streams that an installation follows: its PDSes and relays, as configured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from at_protocol.failures import Malformed
from at_protocol.sync.verify import FULL, VerificationLevel

_HTTP_SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Upstream:
    """One stream. ``sender``: the PDS that sends it, as ``host:port``; None for a relay.

    ``first_cursor``: where a new source begins; None means now. ``verification``: how thoroughly each commit is checked.
    """

    url: str
    sender: str | None
    first_cursor: int | None
    verification: VerificationLevel = FULL


def upstreams(
    pdses: Sequence[str],
    relays: Sequence[str],
    *,
    relays_from_the_start: bool,
    relay_verification: VerificationLevel = FULL,
) -> Iterator[Upstream]:
    """Return the configured streams. A PDS's own stream is always checked fully. Raises Malformed for an invalid
    address.
    """
    for text in pdses:
        url, _, public = text.partition("=")
        authority(url)
        yield Upstream(url, authority(public or url), first_cursor=0)
    for url in relays:
        authority(url)
        yield Upstream(url, None, first_cursor=0 if relays_from_the_start else None, verification=relay_verification)


def authority(url: str) -> str:
    """Return ``host:port`` of an origin, so that different spellings compare equal. Raises Malformed."""
    parts = urlsplit(url)
    scheme = _HTTP_SCHEMES.get(parts.scheme)
    try:
        port = parts.port
    except ValueError:
        raise Malformed("address", url, "its port is not a number") from None
    if scheme is None or not parts.hostname or parts.path.rstrip("/") or parts.query or parts.fragment:
        raise Malformed("address", url, "not ws(s):// or http(s):// with a host and no path")
    return f"{parts.hostname.lower().rstrip('.')}:{port or _DEFAULT_PORTS[scheme]}"
