"""Reserve a signing key for a future account. A migrating client names it in the identity before the account is
created.
"""

import secrets

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.accounts.limits import RESERVE_KEY
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_address
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.errors import Refused


async def reserve_signing_key(call: XrpcCall) -> Outcome:
    """Return the key reserved for a DID, which stays the same for a month. Raises Refused if the account already
    exists.
    """
    registry = call.registry
    did = None if call.body.get("did") is None else Did(call.body["did"])
    if did is not None:
        async with registry.db.reader() as reader:
            if await queries.find(reader, did) is not None:
                raise Refused("This account is already here and has a signing key.", name="InvalidRequest")
    new_key = K256PrivateKey.from_bytes(secrets.token_bytes(32))
    keys = registry.repositories.keys
    return {"signingKey": await registry.db.write(lambda w: keys.reserve(w, did, new_key))}


METHOD = procedure(
    "com.atproto.server.reserveSigningKey",
    reserve_signing_key,
    AccessLevel.OPTIONAL_LENIENT,
    charges=per_address(RESERVE_KEY),
)
