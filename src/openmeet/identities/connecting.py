"""Signing in with the password of an AT Protocol account: proof that somebody holds a DID.

The password goes to the account's own PDS, found through its DID document, and is kept nowhere; an app password does.
"""

from at_network.bearer_session import create_session
from at_protocol.failures import Malformed
from at_protocol.syntax.at_identifier import parse_at_identifier
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, NotFound, NotSignedIn
from groundwork.outbox.owe import owe
from openmeet.debts.kinds import Debt
from openmeet.identities import actions, queries
from openmeet.identities.network import Network
from openmeet.identities.sessions import seal_tokens
from openmeet.users.model import UserId


async def sign_in_with_password(db: Database, network: Network, *, identifier: str, password: str) -> UserId:
    """Open a repository session for a handle or DID; the person behind it, made or found.

    Their calendar is owed a read (``Debt.BACKFILL``). Raises InvalidInput (no such form of handle), NotFound (nobody
    goes by it), NotSignedIn (wrong password, or a code is wanted), RemoteFailed and RemoteSlow.
    """
    try:
        name = parse_at_identifier(identifier.strip().removeprefix("@"))
    except Malformed:
        raise InvalidInput("identifier", "Write your handle, like ana.example.org.") from None
    account = await network.handles.identify(name)
    pds = account.document.pds
    if pds is None:
        raise NotFound("This account says no place where its data is kept.")
    try:
        tokens = await create_session(network.http, network.clock, pds, account.did, password)
    except NotSignedIn as refused:
        if refused.name == "AuthFactorTokenRequired":
            raise NotSignedIn(
                "Your server wants a second factor; make an app password there and use that.", name=refused.name
            ) from None
        raise NotSignedIn("This handle and password do not belong together.", name=refused.name) from None
    if tokens.did != account.did:
        raise NotSignedIn("The server answered for another account.")
    sealed = seal_tokens(network, tokens)
    async with db.transaction() as tx:
        user_id = await actions.connect(tx, account.did, handle=account.handle, pds_url=pds)
        await queries.put_session(tx, account.did, pds_url=pds, sealed=sealed)
        await owe(tx, Debt.BACKFILL, account.did, int(tx.now))
    return user_id
