"""Sign-in with the password of an AT Protocol account, which proves that somebody controls a DID.

The password is sent to the account's own PDS, found through its DID document, and never stored. An app password
suffices.
"""

import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from at_network.bearer_session import create_session
from at_protocol.failures import Malformed
from at_protocol.syntax.at_identifier import parse_at_identifier
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import INVALID, Handle, parse_handle
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import InvalidInput, NotFound, NotSignedIn
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.identities import actions, session_queries
from openmeet.domain.identities.model import NewSession, PdsSessionKind, SealedSession
from openmeet.domain.users.model import UserId
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.reasons import RepositoryReason
from openmeet.network.repositories.session_sealing import new_password_session
from openmeet.network.repositories.sessions import revoke_later
from openmeet.outbox.kinds import JobKind

# Find or create the user of a DID whose owner has signed in: (transaction, DID, handle, PDS). Bound by ``programs/``,
# because account merge depends on all domain tables.
Arrive = Callable[[Transaction, Did, str, str], Awaitable[UserId]]


async def find_or_create_user(tx: Transaction, did: Did, handle: str, pds_url: str) -> UserId:
    """Find or create the user of a DID that signed in, for installations without account merge."""
    return await actions.connect(tx, did, handle=handle, pds_url=pds_url)


@dataclass(frozen=True, slots=True)
class PasswordSignIn:
    """Who signed in. ``may_be_app_password``: the password might not be the account's main password."""

    user_id: UserId
    may_be_app_password: bool


async def sign_in_with_password(
    db: Database,
    network: NetworkClients,
    *,
    identifier: str,
    password: str,
    client_address: str = "",
    arrive: Arrive = find_or_create_user,
) -> PasswordSignIn:
    """Open a repository session for a handle or DID; return its user, who is created if necessary. ``client_address``:
    the visitor's address.

    A valid OAuth session at the same server stays, and the password then only identifies the person: scopes granted
    there are never exchanged for full access without asking. The session that is not used, the new or the earlier one,
    is revoked. Enqueues a read of their calendar (``JobKind.BACKFILL``).
    Raises InvalidInput (not a handle), NotFound (unknown handle), NotSignedIn (wrong password, or a code is needed),
    TooMany, RemoteFailed and RemoteSlow.
    """
    try:
        name = parse_at_identifier(identifier.strip().removeprefix("@"))
    except Malformed:
        raise InvalidInput("identifier", RepositoryReason.HANDLE_NEEDED) from None
    account = await network.handles.identities.identify(name)
    pds = account.document.pds
    if pds is None:
        raise NotFound(RepositoryReason.NO_ACCOUNT_SERVER)
    try:
        headers = network.visitor_headers(pds, client_address)
        tokens = await create_session(network.http, network.clock, pds, account.did, password, headers=headers)
    except NotSignedIn as refused:
        if refused.name == "AuthFactorTokenRequired":
            raise NotSignedIn(RepositoryReason.SECOND_FACTOR, name=refused.name) from None
        raise NotSignedIn(RepositoryReason.WRONG_PASSWORD, name=refused.name) from None
    opened = new_password_session(network, pds, tokens)
    unused: NewSession | SealedSession | None = opened
    try:
        if tokens.did != account.did:
            raise NotSignedIn(RepositoryReason.SERVER_NAMED_OTHER_ACCOUNT)
        handle = "" if account.handle == INVALID else str(account.handle)
        async with db.transaction() as tx:
            user_id = await arrive(tx, account.did, handle, pds)
            before = await session_queries.find(tx, account.did)
            valid = before if before is not None and not before.needs_login else None
            stays = valid is not None and (valid.kind, valid.pds_url) == (PdsSessionKind.OAUTH, pds)
            if not stays:
                await session_queries.put(tx, opened)
            await enqueue_again(tx, JobKind.BACKFILL, [account.did])
        if not stays:
            unused = valid
    finally:
        # Otherwise it would stay open at the server until its refresh token expires.
        if unused is not None:
            revoke_later(db, network, unused)
    return PasswordSignIn(user_id, tokens.may_be_of_app_password)


FIELD = "identifier"
_HINT = RepositoryReason.HANDLE_OR_SERVER_NEEDED


@dataclass(frozen=True, slots=True)
class ServerOrigin:
    """The origin of a PDS or of an authorization server."""

    origin: str


Named = Did | Handle | ServerOrigin


def read_name(typed: str) -> Named:
    """Parse a typed name. Raises InvalidInput (``identifier``), which says what to type instead."""
    # Handles copied from pages and messages can contain invisible direction marks and joiners.
    text = "".join(each for each in typed if unicodedata.category(each) not in {"Cf", "Cc"}).strip()
    text = text.removeprefix("at://").removeprefix("@")
    if not text:
        raise InvalidInput(FIELD, RepositoryReason.HANDLE_NEEDED)
    if text.startswith(("https://", "http://")):
        return _server(text)
    if "@" in text:
        raise InvalidInput(FIELD, RepositoryReason.HANDLE_NOT_EMAIL)
    try:
        if text.startswith("did:"):
            return parse_did(text)
        return parse_handle(text.rstrip(".").lower())
    except Malformed:
        raise InvalidInput(FIELD, _HINT) from None


def text_of(identifier: Named) -> str:
    """Return the name that a person would type for this account."""
    return identifier.origin if isinstance(identifier, ServerOrigin) else str(identifier)


def _server(text: str) -> ServerOrigin:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput(FIELD, _HINT) from None
    if not host or "@" in parts.netloc:
        raise InvalidInput(FIELD, _HINT)
    default = 443 if parts.scheme == "https" else 80
    shown = f"[{host}]" if ":" in host else host
    return ServerOrigin(f"{parts.scheme}://{shown}" + (f":{port}" if port not in {None, default} else ""))
