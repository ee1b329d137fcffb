"""Confirm the e-mail address with the token sent to it."""

from aurora_locus.accounts import email_changes
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.method import Outcome, XrpcCall


async def run(registry: Registry, call: XrpcCall) -> Outcome:
    """Confirm the caller's address with the e-mailed token. Raises what ``email_changes.confirm`` raises."""
    await email_changes.confirm(registry, call.did, call.body["email"], call.body["token"])
    return None
