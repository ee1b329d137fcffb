"""The account at the new server: created with a token signed by the old server, or found from an earlier attempt."""

from dataclasses import dataclass, field

from at_network.bearer_session import FixedToken
from at_network.migration.servers import PATIENCE_SECONDS, MigrationServer, ServerDescription, describe, sign_in
from at_network.xrpc_client import XrpcClient
from groundwork.clock import Clock
from groundwork.errors import NotSignedIn, Refused, RemoteFailed
from groundwork.http.client import HttpClient

CREATE_ACCOUNT = "com.atproto.server.createAccount"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """The account to create at the new server."""

    handle: str
    email: str
    password: str = field(repr=False)
    invite_code: str | None = None
    recovery_key: str | None = None


async def sign_in_or_create(
    http: HttpClient, clock: Clock, old: MigrationServer, origin: str, account: NewAccount
) -> tuple[MigrationServer, bool]:
    """Open a session at the new server. Returns it, and whether this call created the account.

    The account stays deactivated until activation. Sign-in is tried first, because an earlier attempt may have created
    the account. Raises Refused if the new server rejects something (a handle, an invite code, or a password that
    differs from that of the earlier attempt).
    """
    try:
        return await sign_in(http, clock, origin, old.did, account.password), False
    except NotSignedIn:
        destination = await describe(http, clock, origin)
    await _create_account(http, clock, old, destination, account)
    return await sign_in(http, clock, origin, old.did, account.password), True


async def _create_account(
    http: HttpClient, clock: Clock, old: MigrationServer, destination: ServerDescription, account: NewAccount
) -> None:
    token = await service_token(old, destination)
    body = {
        "did": old.did,
        "handle": account.handle,
        "email": account.email,
        "password": account.password,
        "inviteCode": account.invite_code,
        "recoveryKey": account.recovery_key,
    }
    client = XrpcClient(
        http, clock, destination.origin, credentials=FixedToken(token), timeout_seconds=PATIENCE_SECONDS
    )
    try:
        await client.procedure(CREATE_ACCOUNT, {name: value for name, value in body.items() if value is not None})
    except Refused as refused:
        if refused.name == "AlreadyExists":
            raise Refused(
                f"{destination.origin} already has this account from an earlier attempt, with another password. "
                "Use the password of that attempt.",
                name=refused.name,
            ) from None
        raise


async def service_token(old: MigrationServer, destination: ServerDescription) -> str:
    """Request the service token that proves to the new server that the account wants to migrate."""
    response = await old.client.query(
        "com.atproto.server.getServiceAuth", {"aud": destination.did, "lxm": CREATE_ACCOUNT}
    )
    token = response.get("token")
    if not isinstance(token, str):
        raise RemoteFailed(f"{old.origin} did not issue a token for the new server.")
    return token
