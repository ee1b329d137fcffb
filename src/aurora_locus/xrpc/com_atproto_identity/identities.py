"""Identity look-ups: accounts of this server from its own database, all others from the network.

Names under our own domains are never resolved over the network.
"""

from typing import Any

from at_protocol.identity.did_document import DidDocument
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import INVALID, Handle, parse_handle
from aurora_locus.accounts import queries
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity.handles import is_under
from aurora_locus.identity.network import IdentityResolver
from aurora_locus.repository.model import HostingStatus
from groundwork.errors import NotFound


async def did_of_handle(registry: Registry, network: IdentityResolver, handle: Handle, *, fresh: bool = False) -> Did:
    """Return the DID that a handle names, unverified. Raises NotFound (``HandleNotFound``), RemoteFailed, RemoteSlow."""
    async with registry.db.reader() as reader:
        account = await queries.find_by_handle(reader, handle)
    if account is not None and account.status is HostingStatus.ACTIVE:
        return account.did
    if account is None and not is_under(handle, registry.handle_domains):
        return await (network.refresh_handle if fresh else network.resolve_handle)(handle)
    raise NotFound(f"The handle {handle} does not resolve.", name="HandleNotFound")


async def identify(registry: Registry, network: IdentityResolver, identifier: str, *, fresh: bool) -> dict[str, Any]:
    """Return the identity of a DID or handle: ``did``, ``handle`` (``handle.invalid`` unless both sides agree) and
    ``didDoc``.

    Raises NotFound (``DidNotFound``, ``DidDeactivated``, ``HandleNotFound``; the last also if the handle's DID does not
    claim it), InvalidInput for an unsupported DID, RemoteFailed and RemoteSlow.
    """
    fetch_document = network.refresh_did if fresh else network.resolve_did
    if identifier.startswith("did:"):
        document = await fetch_document(Did(identifier))
        return _identity_info(document, await _verified(registry, network, document, fresh=fresh))
    handle = parse_handle(identifier)
    document = await fetch_document(await did_of_handle(registry, network, handle, fresh=fresh))
    if document.handle == handle:
        return _identity_info(document, handle)
    if not fresh:  # either side may have changed since it was cached
        return await identify(registry, network, identifier, fresh=True)
    raise NotFound(f"The account of {handle} has another handle.", name="HandleNotFound")


async def _verified(registry: Registry, network: IdentityResolver, document: DidDocument, *, fresh: bool) -> Handle:
    claimed = document.handle
    if claimed is None:
        return INVALID
    try:
        did = await did_of_handle(registry, network, claimed, fresh=fresh)
    except NotFound:
        return INVALID
    return claimed if did == document.did else INVALID


def _identity_info(document: DidDocument, handle: Handle) -> dict[str, Any]:
    return {"did": document.did, "handle": handle, "didDoc": document.source}
