"""Create an app password. It is shown only in this response."""

from at_protocol.syntax.datetime import format_datetime
from aurora_locus.accounts import app_passwords
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.method import Outcome, XrpcCall, procedure


async def create_app_password(call: XrpcCall) -> Outcome:
    """Create an app password and return it. It is not shown again. Raises what ``app_passwords.create`` raises."""
    app_password, password = await app_passwords.create(
        call.registry.db,
        call.registry.passwords,
        call.did,
        call.body["name"],
        is_privileged=call.body.get("privileged", False),
    )
    return {
        "name": app_password.name,
        "password": password,
        "createdAt": format_datetime(app_password.created_at),
        "privileged": app_password.is_privileged,
    }


METHOD = procedure("com.atproto.server.createAppPassword", create_app_password, AccessLevel.FULL_ACCESS)
