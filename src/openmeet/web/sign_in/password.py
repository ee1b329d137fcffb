"""Sign-in with the password of an AT Protocol account."""

from starlette.requests import Request

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from openmeet.domain.account_merge.actions import sign_in_with_did
from openmeet.domain.users.model import UserId
from openmeet.network.repositories.sign_in import PasswordSignIn, sign_in_with_password
from openmeet.web.sign_in import limits
from openmeet.web.sign_in.atproto import network_of
from openmeet.web.site.tenant_routing import database_of


async def sign_in(request: Request, identifier: str, password: str) -> PasswordSignIn:
    """Sign in the user with this handle or DID. A user who is new to this site is created.

    Opens its own transactions, because it waits for another server. Raises NotSignedIn (refused by the PDS), TooMany,
    InvalidInput and NotFound (no such handle), RemoteFailed, RemoteSlow.
    """
    await limits.spend_on_password(request, identifier)
    return await sign_in_with_password(
        database_of(request),
        network_of(request),
        identifier=identifier,
        password=password,
        client_address=limits.visitors_address(request),
        arrive=_arrive,
    )


async def _arrive(tx: Transaction, did: Did, handle: str, pds_url: str) -> UserId:
    return (await sign_in_with_did(tx, did, handle=handle, pds_url=pds_url)).user_id
