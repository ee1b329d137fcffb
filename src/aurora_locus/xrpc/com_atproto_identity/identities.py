"""Identity look-ups: accounts of this server from its own database, all others from the network.

Names under our own domains are never resolved over the network.
"""

from dataclasses import replace
from typing import Any

import msgspec

from at_network.identity_resolver import IdentityResolver
from at_protocol.syntax.at_identifier import parse_at_identifier
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import queries
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity.handles import is_under
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
    own_first = replace(
        network,
        resolve_handle=lambda handle: did_of_handle(registry, network, handle),
        refresh_handle=lambda handle: did_of_handle(registry, network, handle, fresh=True),
    )
    found = await own_first.identify(parse_at_identifier(identifier), refresh=fresh)
    return {"did": found.did, "handle": found.handle, "didDoc": msgspec.Raw(found.document.source)}
