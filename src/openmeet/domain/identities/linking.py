"""Several DIDs of one person: which one new records go to, and letting one go."""

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from groundwork.errors import NotFound, Refused
from openmeet.domain.identities import queries, recovery_key_queries
from openmeet.domain.identities.model import Identity, IdentityKind
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import UserId
from openmeet.outbox import in_flight


async def switch(tx: Transaction, user_id: UserId, did: Did) -> None:
    """New records go to this DID; those that are there already are kept updated where they are. Raises NotFound."""
    if not await queries.make_default(tx, user_id, did):
        raise NotFound("This account is not yours here.")


async def unlink(tx: Transaction, user_id: UserId, did: Did) -> Identity:
    """Let a DID go: we act for it no more, and its records stay in its repository as they are.

    Raises NotFound, and Refused where it is kept by us (``Custodial``), its recovery key waits to be kept (``RecoveryKey``),
    or nothing else is left to sign in with (``LastWayIn``). The session that was open at its server is the caller's to give back.
    """
    mine = await queries.of_user(tx, user_id)
    found = next((one for one in mine if one.did == did and one.can_write), None)
    if found is None:
        raise NotFound("This account is not yours here.")
    if found.kind is IdentityKind.CUSTODIAL:
        raise Refused("We keep this repository for you. Stop publishing instead, or take it over.", name="Custodial")
    if await recovery_key_queries.is_there(tx, did):
        raise Refused("Its recovery key waits for you, and would be gone. Keep it first.", name="RecoveryKey")
    person = await users.by_id(tx, user_id)
    others = [one for one in mine if one.did != did and one.kind is IdentityKind.CONNECTED]
    if not others and (person is None or person.email is None):
        raise Refused(
            "It is the only way you have to sign in here. Join an e-mail address to this account first.",
            name="LastWayIn",
        )
    await queries.delete(tx, did, user_id)
    # Whatever of ours still arrives there stays, too: nothing is looked for in it that might be another person's soon.
    await in_flight.erase(tx, did)
    left = [one for one in mine if one.did != did and one.can_write]
    if found.is_default and left:
        await queries.make_default(tx, user_id, left[0].did)
    return found
