"""What this room needs to reach other servers, opened once by ``programs/`` and handed down."""

from dataclasses import dataclass

from at_network.did_resolver import DidResolver
from at_network.handle_resolver import HandleResolver
from groundwork.clock import Clock
from groundwork.http.client import HttpClient
from groundwork.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Network:
    """Client, resolvers, and the sealer of tokens and passwords."""

    http: HttpClient
    clock: Clock
    dids: DidResolver
    handles: HandleResolver
    sealer: Sealer
