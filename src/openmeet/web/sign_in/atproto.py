"""Sign-in through the user's own PDS: whether the site offers it, sign-in with the password, and the cookie that lasts
until a sign-in at the PDS is complete.

A browser that is sent to another server gets a secret that identifies it when it returns. So nobody can finish a
sign-in that somebody else began.
"""

import secrets
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from groundwork.errors import NotFound
from openmeet.domain.account_merge.actions import sign_in_with_did
from openmeet.domain.sign_in.model import SignInReason
from openmeet.domain.users.model import UserId
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.sign_in import PasswordSignIn, sign_in_with_password
from openmeet.web.sign_in import limits
from openmeet.web.site.cookies import read_cookie, set_cookie
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_BROWSER = "openmeet_authorizing"
# Pages that ask for a fresh sign-in (``account/templates/prove.html``), with those below them.
_PAGES_WITH_PROOF = ("/settings/delete", "/settings/email", "/settings/identity", "/settings/join")


def network_of(connection: HTTPConnection) -> NetworkClients:
    """The network clients for signing in with an AT Protocol account. Raises NotFound if this site does not offer it."""
    network_clients = services(connection).network
    if network_clients is None:
        raise NotFound(SignInReason.NO_NETWORK_SIGN_IN, name="NoNetworkSignIn")
    return network_clients


def is_offered(connection: HTTPConnection) -> bool:
    """Whether this site can send people to their PDS."""
    network_clients = services(connection).network
    return network_clients is not None and network_clients.app is not None


def needs_proof(next_path: str) -> bool:
    """Whether the page to open after sign-in requires a fresh proof of identity."""
    return f"{urlsplit(next_path).path}/".startswith(tuple(f"{page}/" for page in _PAGES_WITH_PROOF))


def browser_secret(connection: HTTPConnection) -> str:
    """The browser's secret, or a new one if it has none. Concurrent sign-ins in one browser share it."""
    stored_secret = known_browser(connection)
    return stored_secret if len(stored_secret) >= 32 else secrets.token_urlsafe(32)


def known_browser(connection: HTTPConnection) -> str:
    """The browser's secret, or an empty string if it has none."""
    return read_cookie(connection, _BROWSER)


def keep_browser_secret(connection: HTTPConnection, response: Response, secret: str) -> None:
    set_cookie(connection, response, _BROWSER, secret)


async def sign_in_by_password(request: Request, identifier: str, password: str) -> PasswordSignIn:
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
