"""Find out the kinds of the sources given on the command line. The kind decides how far a source is trusted.

A PDS answers ``com.atproto.server.describeServer`` with its DID and is trusted only for its own accounts. A relay does
not answer it, and forwards anybody's commits. A Jetstream server is recognised by its path, ``/subscribe``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from at_network.xrpc_client import XrpcClient
from at_protocol.failures import Malformed
from groundwork.clock import Clock
from groundwork.errors import Failure, InvalidInput, RemoteFailed, RemoteSlow
from groundwork.http.client import HttpClient
from openmeet.network.firehose.upstreams import authority

_SOCKETS = {"http": "ws", "https": "wss"}
_PAGES = {"ws": "http", "wss": "https"}
_JETSTREAM_PATH = "/subscribe"


@dataclass(frozen=True, slots=True)
class Sources:
    """WebSocket origins by kind of server."""

    pdses: tuple[str, ...] = ()
    relays: tuple[str, ...] = ()
    jetstreams: tuple[str, ...] = ()


async def sort_by_kind(http: HttpClient, clock: Clock, urls: Sequence[str]) -> Sources:
    """The kind of each address. Raises InvalidInput if an address is malformed or does not answer."""
    pdses, relays, jetstreams = dict[str, None](), dict[str, None](), dict[str, None]()
    for url in urls:
        origin = url.rstrip("/").removesuffix(_JETSTREAM_PATH)
        try:
            authority(origin)
        except Malformed as wrong:
            raise InvalidInput("source", f"--source {url}: {wrong.why}.") from wrong
        scheme, _, rest = origin.rstrip("/").partition("://")
        socket = f"{_SOCKETS.get(scheme, scheme)}://{rest}"
        if origin != url.rstrip("/"):
            jetstreams[socket] = None
        elif await _is_pds(http, clock, f"{_PAGES.get(scheme, scheme)}://{rest}"):
            pdses[socket] = None
        else:
            relays[socket] = None
    return Sources(tuple(pdses), tuple(relays), tuple(jetstreams))


async def _is_pds(http: HttpClient, clock: Clock, origin: str) -> bool:
    try:
        described = await XrpcClient(http, clock, origin).query("com.atproto.server.describeServer", {})
    except (RemoteFailed, RemoteSlow) as away:
        if isinstance(away, RemoteFailed) and away.status is not None:
            return False
        raise InvalidInput("source", f"--source {origin} does not answer: {away.why} Start it first.") from away
    except Failure:
        return False  # it answers, but not as a PDS does
    return isinstance(described.get("did"), str)
