"""Contract of identity resolution, implemented by ``at_network``."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from at_protocol.identity.did_document import DidDocument
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle


@dataclass(frozen=True, slots=True)
class IdentityResolver:
    """Resolves DIDs and handles, with or without the cache. All methods raise NotFound (``DidNotFound``,
    ``DidDeactivated``, ``HandleNotFound``), and RemoteFailed and RemoteSlow if the result cannot be determined now.
    """

    resolve_did: Callable[[Did], Awaitable[DidDocument]]
    refresh_did: Callable[[Did], Awaitable[DidDocument]]
    resolve_handle: Callable[[Handle], Awaitable[Did]]
    refresh_handle: Callable[[Handle], Awaitable[Did]]
    # Called when an identity has changed: the cached document must be revalidated before it is used again.
    recheck_did: Callable[[Did], None]
