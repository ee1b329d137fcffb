"""Change the account's e-mail address."""

from aurora_locus.accounts import email_changes, queries
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure
from groundwork.errors import Refused


async def update_email(call: XrpcCall) -> Outcome:
    """Change the caller's address, or turn the sign-in code by e-mail on or off.

    Raises what ``email_changes.update`` and ``email_changes.switch_email_code`` raise.
    """
    registry = call.registry
    email, token, factor = call.body["email"], call.body.get("token"), call.body.get("emailAuthFactor")
    account = await queries.require_account(registry.db, call.did)
    if factor is not None and email.strip().lower() == account.email:
        # Apps turn codes by e-mail on and off by "changing" the address to itself.
        await email_changes.switch_email_code(registry, call.did, token, is_wanted=factor)
        return None
    if factor:
        raise Refused("Change and confirm the address first, then turn on codes by e-mail.", name="InvalidRequest")
    await email_changes.update(registry, call.did, email, token)
    return None


METHOD = procedure("com.atproto.server.updateEmail", update_email, AccessLevel.FULL_ACCESS)
