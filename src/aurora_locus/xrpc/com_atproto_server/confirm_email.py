"""Confirm the e-mail address with the token sent to it."""

from aurora_locus.accounts import email_changes
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def confirm_email(call: XrpcCall) -> Outcome:
    """Confirm the caller's address with the e-mailed token. Raises what ``email_changes.confirm`` raises."""
    await email_changes.confirm(call.registry, call.did, call.body["email"], call.body["token"])
    return None


METHOD = procedure("com.atproto.server.confirmEmail", confirm_email, AccessLevel.ACCESS)
