"""Handles that an account of this server may use: names under the server's own domains, and any other name that
resolves to the account's DID.

Source: atproto Handle specification. This server is authoritative for names under its own domains and does not resolve
them. A handle under another domain is resolved without the cache.
"""

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity.handles import is_under, require_registrable, require_usable
from groundwork.errors import NotFound, Refused


async def require_own(registry: Registry, did: Did, text: str) -> Handle:
    """Return the normalized handle. Raises InvalidInput and Refused with the error names of the Lexicons
    (``identity.handles``), ``InvalidRequest`` if it does not resolve to this DID; RemoteFailed and RemoteSlow if that
    cannot be determined now.
    """
    handle = require_usable(text, is_development=registry.is_development)
    if is_under(handle, registry.handle_domains):
        return require_registrable(
            handle, registry.handle_domains, is_development=registry.is_development, reserved=registry.reserved_names
        )
    try:
        resolved_did = await registry.network.refresh_handle(handle)
    except NotFound:
        resolved_did = None
    if resolved_did != did:
        why = f"The handle {handle} does not lead to {did}" + (f", but to {resolved_did}" if resolved_did else "")
        raise Refused(
            f"{why}. Put the DID into the TXT record _atproto.{handle}, or at https://{handle}/.well-known/atproto-did.",
            name="InvalidRequest",
        )
    return handle
