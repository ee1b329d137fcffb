"""Handles that an account of this server may use: names under the server's own domains, and any other name that
resolves to the account's DID.

Source: atproto Handle specification. This server is authoritative for names under its own domains and does not resolve
them. A handle under another domain is resolved without the cache.
"""

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts.registry import Registry
from aurora_locus.i18n.sentences import localizable
from aurora_locus.identity.handles import is_under, require_registrable, require_usable
from groundwork.errors import Explanation, NotFound, Refused


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
        raise Refused(_why_not(handle, did, resolved_did), name="InvalidRequest")
    return handle


def _why_not(handle: Handle, did: Did, resolved_did: Did | None) -> Explanation:
    if resolved_did is None:
        return localizable(
            "The handle %(handle)s doesn’t lead to %(did)s. Put the DID into the TXT record _atproto.%(handle)s, or at "
            "https://%(handle)s/.well-known/atproto-did.",
            handle=handle,
            did=did,
        )
    return localizable(
        "The handle %(handle)s doesn’t lead to %(did)s, but to %(other)s. Put the DID into the TXT record "
        "_atproto.%(handle)s, or at https://%(handle)s/.well-known/atproto-did.",
        handle=handle,
        did=did,
        other=resolved_did,
    )
