"""Sign an operation on the caller's identity with the server's rotation key. Anyone can then submit it to the
directory.
"""

from at_protocol.identity import plc_operation
from aurora_locus.accounts import own_identity
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def sign_plc_operation(call: XrpcCall) -> Outcome:
    """Sign the requested operation and return it. Raises what ``own_identity.signed`` raises."""
    operation = await own_identity.signed(call.registry, call.did, call.body, call.body.get("token"))
    return {"operation": plc_operation.to_json(operation)}


METHOD = procedure("com.atproto.identity.signPlcOperation", sign_plc_operation, AccessLevel.FULL_ACCESS)
