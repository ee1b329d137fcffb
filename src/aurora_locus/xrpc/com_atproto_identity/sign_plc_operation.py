"""Sign a change of the caller's identity with the server's rotation key; whoever has it may submit it anywhere."""

from at_protocol.identity import plc_operation
from aurora_locus.accounts import email_tokens
from aurora_locus.accounts.email_tokens import Purpose, require_token
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity.plc_requests import signed_change
from aurora_locus.xrpc.com_atproto_identity.hosted_identity import newest, require_plc
from aurora_locus.xrpc.method import Call, Outcome


async def run(registry: Registry, call: Call) -> Outcome:
    """Answer the signed operation. The token is used up last, so that a wish that is refused costs none.

    Raises InvalidInput (``TokenRequired``), NotSignedIn for the token, Refused for what this server cannot sign.
    """
    did = call.did
    require_plc(did)
    token = require_token(call.body.get("token"))
    present = await newest(registry, did)
    operation = signed_change(present.operation, present.cid, call.body, registry.rotation_key)
    verdict = await registry.db.write(
        lambda w: email_tokens.spend(w, registry.email_tokens, did, Purpose.PLC_OPERATION, token)
    )
    email_tokens.require_good(verdict)
    return {"operation": plc_operation.to_json(operation)}
