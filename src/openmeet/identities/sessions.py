"""Acting in a person's repository: their session, unsealed, refreshed under compare-and-set.

One session per DID. A refresh token counts once, so the new pair is stored before it is used, and only if nobody else
stored one since; the loser of that race starts over with the winner's tokens. A custodial account signs in again by
itself; everybody else is asked to (``NotSignedIn``).
"""

import msgspec

from at_network.bearer_session import BearerSession, SessionTokens, create_session
from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Database
from groundwork.errors import NotSignedIn, Unavailable
from groundwork.sealing import CannotUnseal
from openmeet.identities import queries
from openmeet.identities.model import CustodialAccount, Identity, IdentityKind, SealedSession
from openmeet.identities.network import Network

SIGN_IN_AGAIN = "Sign in again with this account, so that we may publish for you."


async def open_repository(db: Database, network: Network, identity: Identity) -> XrpcClient:
    """A client that acts for the DID on its PDS. Raises NotSignedIn where the person has to sign in again.

    Calls with it raise what ``XrpcClient`` raises; on NotSignedIn tell ``note_refused``.
    """
    async with db.reader() as reader:
        stored = await queries.session(reader, identity.did)
        account = await queries.custodial_account(reader, identity.user_id)
    if stored is None or stored.needs_login:
        if identity.kind is not IdentityKind.CUSTODIAL or account is None or account.did != identity.did:
            raise NotSignedIn(SIGN_IN_AGAIN)
        stored = await _sign_in_custodial(db, network, identity, account)
    tokens = unseal_tokens(network, stored)
    session = BearerSession(network.http, network.clock, stored.pds_url, tokens, keep=_Keeper(db, network, stored).keep)
    return XrpcClient(network.http, network.clock, stored.pds_url, credentials=session)


async def note_refused(db: Database, did: Did) -> None:
    """The PDS no longer knows the session: the next use needs a login (a custodial account's is made by itself)."""
    async with db.transaction() as tx:
        stored = await queries.session(tx, did)
        if stored is not None:
            await queries.set_needs_login(tx, stored)


def seal_tokens(network: Network, tokens: SessionTokens) -> bytes:
    """Both tokens as they are stored, bound to their DID."""
    return network.sealer.seal(msgspec.json.encode([tokens.access, tokens.refresh]), _purpose(tokens.did))


def unseal_tokens(network: Network, stored: SealedSession) -> SessionTokens:
    """The tokens of a stored session; NotSignedIn when they were sealed with a key that is gone."""
    try:
        access, refresh = msgspec.json.decode(
            network.sealer.unseal(stored.sealed, _purpose(stored.did)), type=tuple[str, str]
        )
    except CannotUnseal:
        raise NotSignedIn(SIGN_IN_AGAIN) from None
    return SessionTokens(stored.did, access, refresh)


def seal_password(network: Network, user_id: str, password: str) -> bytes:
    """The password of a custodial account as it is stored."""
    return network.sealer.seal(password.encode(), _password_purpose(user_id))


def unseal_password(network: Network, account: CustodialAccount) -> str:
    return network.sealer.unseal(account.sealed_password, _password_purpose(account.user_id)).decode()


async def _sign_in_custodial(
    db: Database, network: Network, identity: Identity, account: CustodialAccount
) -> SealedSession:
    tokens = await create_session(
        network.http, network.clock, identity.pds_url, identity.did, unseal_password(network, account)
    )
    async with db.transaction() as tx:
        await queries.put_session(tx, identity.did, pds_url=identity.pds_url, sealed=seal_tokens(network, tokens))
        stored = await queries.session(tx, identity.did)
    if stored is None:
        raise Unavailable("The session could not be stored.")
    return stored


class _Keeper:
    """Stores each new pair of tokens over the pair it came from."""

    def __init__(self, db: Database, network: Network, stored: SealedSession) -> None:
        self._db = db
        self._network = network
        self._stored = stored

    async def keep(self, tokens: SessionTokens) -> None:
        sealed = seal_tokens(self._network, tokens)
        async with self._db.transaction() as tx:
            if not await queries.replace_session(tx, self._stored, sealed):
                raise Unavailable("Another worker has refreshed this session; its tokens are the ones that count.")
        self._stored = SealedSession(
            self._stored.did, self._stored.pds_url, sealed, self._stored.version + 1, needs_login=False
        )


def _purpose(did: str) -> str:
    return f"openmeet/repository_session/{did}"


def _password_purpose(user_id: str) -> str:
    return f"openmeet/custodial_password/{user_id}"
