"""A repository that was kept for somebody becomes theirs alone: their address, their password, and none of ours.

The PDS is told first. Whatever is lost on the way, doing it again ends in the same place; only then do we forget our password,
which is worth nothing by that time. From then on we act there as for everybody else: when they let us in.
"""

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Database, Reader
from groundwork.errors import InvalidInput, Refused
from groundwork.telemetry.logs import log
from openmeet.domain.identities import queries, session_queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id
from openmeet.network.repositories import credentials_cache
from openmeet.network.repositories.clients import Network
from openmeet.network.repositories.custodial import Keeper, as_administration

MIN_PASSWORD = 10
MAX_PASSWORD = 256


async def kept_for(reader: Reader, user_id: UserId) -> Identity | None:
    """The account that is kept for a person, if it has been made."""
    account = await queries.custodial_account(reader, user_id)
    return None if account is None or account.did is None else await queries.find(reader, account.did)


def check_password(typed: str, again: str) -> str:
    """A password that somebody chose, typed twice. Raises InvalidInput."""
    if not MIN_PASSWORD <= len(typed) <= MAX_PASSWORD:
        raise InvalidInput("password", f"Choose one of {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    if typed != again:
        raise InvalidInput("again", "The two are not the same.")
    return typed


async def take_over(db: Database, network: Network, keeper: Keeper, user_id: UserId, password: str) -> Did:
    """Hand the kept account over to the person. The address is the one that they sign in with here: it is proven.

    Raises Refused (nothing is kept for them, no address, the PDS takes no orders from us), and what the PDS fails with.
    """
    async with db.reader() as reader:
        kept = await kept_for(reader, user_id)
        person = await by_id(reader, user_id)
    if kept is None:
        raise Refused("We keep no account for you.", name="NothingKept")
    if person is None or person.email is None:
        raise Refused("Join an e-mail address to this account first: your server needs one.", name="NoAddress")
    if not keeper.admin_authorization:
        raise Refused("The server that keeps it takes no orders from this site. Ask its operator.", name="NoOrders")
    admin = as_administration(network, keeper)
    await admin.procedure("com.atproto.admin.updateAccountEmail", {"account": kept.did, "email": person.email})
    await admin.procedure("com.atproto.admin.updateAccountPassword", {"did": kept.did, "password": password})
    async with db.transaction() as tx:
        await queries.release_custodial(tx, kept.did)
        await session_queries.delete(tx, kept.did)
    await credentials_cache.drop(network, user_id)
    log.info("custodial_account.taken_over", did=kept.did)
    return kept.did
