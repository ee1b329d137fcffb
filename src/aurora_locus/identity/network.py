"""Identities as the rest of the network has them: what this server asks others for. ``at_network`` drives it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from at_protocol.identity.did_document import DidDocument
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle


@dataclass(frozen=True, slots=True)
class IdentityResolver:
    """Both directions, from a cache or anew. All raise NotFound (``DidNotFound``, ``DidDeactivated``, ``HandleNotFound``),
    RemoteFailed and RemoteSlow where it cannot be told now.
    """

    resolve_did: Callable[[Did], Awaitable[DidDocument]]
    refresh_did: Callable[[Did], Awaitable[DidDocument]]
    resolve_handle: Callable[[Handle], Awaitable[Did]]
    refresh_handle: Callable[[Handle], Awaitable[Did]]
    # The identity changed: ask before what is cached is used again.
    doubt_did: Callable[[Did], None]
