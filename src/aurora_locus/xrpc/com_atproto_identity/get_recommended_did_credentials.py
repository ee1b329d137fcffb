"""Return the identity fields that the caller needs to be hosted on this server. A migration passes them to the old
server.
"""

from aurora_locus.accounts.own_identity import account_of, hosting_of
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity.plc_requests import recommended
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Return the rotation keys, signing key, handle and PDS that the caller's identity needs to be hosted on this
    server.
    """
    account = await account_of(registry, call.did)
    return recommended(await hosting_of(registry, account), is_plc=account.did.startswith("did:plc:"))
