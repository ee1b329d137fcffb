"""Send an e-mail from the host to an account."""

from at_protocol.syntax.did import Did
from aurora_locus.moderation import notices
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import audit_of
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def send_email(call: XrpcCall) -> Outcome:
    """Queue an e-mail to the account. ``sent`` in the response means that it is queued. Raises what
    ``notices.write_to`` raises.
    """
    body = call.body
    audit = audit_of(call, body.get("comment", ""))
    await notices.write_to(call.registry, audit, Did(body["recipientDid"]), body.get("subject", ""), body["content"])
    return {"sent": True}


METHOD = procedure("com.atproto.admin.sendEmail", send_email, AccessLevel.MODERATOR)
