"""Operator and reason of a method call, for the audit log."""

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.accounts import queries
from aurora_locus.accounts.registry import Registry
from aurora_locus.moderation.account_actions import account_absent
from aurora_locus.moderation.roles import AuditContext
from aurora_locus.xrpc.method import XrpcCall
from groundwork.errors import InvalidInput, NotSignedIn


def audit_of(call: XrpcCall, reason: str = "") -> AuditContext:
    """Return the caller and the reason. The Lexicons have no field for a reason, so the closest one is used."""
    if call.caller is None or call.caller.operator is None:
        raise NotSignedIn("This is for the administration.", name="AuthenticationRequired")
    return AuditContext(call.caller.operator, reason)


async def account_named(registry: Registry, identifier: str) -> Did:
    """Return the account that an at-identifier names. Raises NotFound."""
    if identifier.startswith("did:"):
        try:
            return parse_did(identifier)
        except Malformed as error:
            raise InvalidInput("account", f"This is not a DID: {error.why}.") from None
    async with registry.db.reader() as reader:
        account = await queries.find_by_handle(reader, identifier.lower())
    if account is None:
        raise account_absent()
    return account.did
