"""Identity resolver: the account behind a DID or handle, with its handle verified in both directions.

Source: atproto DID and Handle specifications. A handle belongs to an account only if the handle resolves to its DID and
the DID's document claims the handle. This is the only place that decides so; how either is looked up is passed in,
because a server answers for its own accounts itself.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from at_protocol.identity.did_document import DidDocument
from at_protocol.identity.handle_claim import confirmed_handle
from at_protocol.syntax.at_identifier import is_did
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import INVALID, Handle
from groundwork.errors import NotFound, RemoteFailed, RemoteSlow


@dataclass(frozen=True, slots=True)
class ResolvedIdentity:
    """An account's document, and its handle if handle and document agree (otherwise ``handle.invalid``)."""

    did: Did
    handle: Handle
    document: DidDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityResolver:
    """Resolves DIDs and handles, with or without the cache.

    The look-ups raise NotFound (``DidNotFound``, ``DidDeactivated``, ``HandleNotFound``), InvalidInput for an
    unsupported DID, and RemoteFailed and RemoteSlow if the result cannot be determined now.
    """

    resolve_did: Callable[[Did], Awaitable[DidDocument]]
    refresh_did: Callable[[Did], Awaitable[DidDocument]]
    resolve_handle: Callable[[Handle], Awaitable[Did]]
    refresh_handle: Callable[[Handle], Awaitable[Did]]
    # Called when an identity has changed: the cached document must be revalidated before it is used again.
    recheck_did: Callable[[Did], None]

    async def identify(self, identifier: Did | Handle, *, refresh: bool = False) -> ResolvedIdentity:
        """Return the identity of a DID or a handle, verified in both directions. ``refresh`` bypasses the caches.

        The handle of a DID is ``handle.invalid`` if it cannot be verified now. Raises NotFound (``HandleNotFound``) for
        a handle that its DID does not claim, and the errors of the look-ups.
        """
        if is_did(identifier):
            return await self._identify_did(Did(identifier), refresh=refresh)
        handle = Handle(identifier)
        did = await self._did_of(handle, refresh=refresh)
        document = await self._document_of(did, refresh=refresh)
        if document.handle == handle:
            return ResolvedIdentity(did, handle, document)
        if not refresh:  # either side might have changed since it was cached
            return await self.identify(handle, refresh=True)
        raise NotFound(f"The account of {handle} has another handle.", name="HandleNotFound")

    async def verified_handle(self, document: DidDocument, *, refresh: bool = False) -> Handle:
        """Return the handle to show for an account, or ``handle.invalid`` if the claimed handle does not resolve to its
        DID.

        Raises RemoteFailed and RemoteSlow if that cannot be determined now.
        """
        if document.handle is None:
            return INVALID
        try:
            return confirmed_handle(document, await self._did_of(document.handle, refresh=refresh))
        except NotFound:
            return INVALID

    async def _identify_did(self, did: Did, *, refresh: bool) -> ResolvedIdentity:
        document = await self._document_of(did, refresh=refresh)
        try:
            handle = await self.verified_handle(document, refresh=refresh)
        except (RemoteFailed, RemoteSlow):
            handle = INVALID  # the DID identifies the account, even while the server of its handle is down
        return ResolvedIdentity(did, handle, document)

    async def _did_of(self, handle: Handle, *, refresh: bool) -> Did:
        return await (self.refresh_handle if refresh else self.resolve_handle)(handle)

    async def _document_of(self, did: Did, *, refresh: bool) -> DidDocument:
        return await (self.refresh_did if refresh else self.resolve_did)(did)
