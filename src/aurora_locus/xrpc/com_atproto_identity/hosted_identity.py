"""The caller's own identity, and what it must say as long as the account is hosted here."""

from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import Operation, Tombstone
from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity.plc_requests import Hosting
from groundwork.errors import Forbidden, Refused


async def account_of(registry: Registry, did: Did) -> Account:
    """The caller's account. Raises Forbidden when it is gone."""
    async with registry.db.reader() as reader:
        account = await queries.find(reader, did)
    if account is None:
        raise Forbidden("There is no such account on this server.", name="AccountNotFound")
    return account


async def hosting_of(registry: Registry, account: Account) -> Hosting:
    """What the identity must say."""
    key = await registry.repositories.keys.signing_key(account.did)
    return Hosting(registry.rotation_key.public, key.public, account.handle, registry.url)


def require_plc(did: Did) -> None:
    """Raise Refused for identities that have no operations: owners of a did:web edit their document themselves."""
    if not did.startswith("did:plc:"):
        raise Refused("This is for did:plc identities; yours is changed where its document is kept.")


@dataclass(frozen=True, slots=True)
class Newest:
    """What the directory says now, in today's form, and the name by which the next operation calls it."""

    operation: Operation
    cid: Cid


async def newest(registry: Registry, did: Did) -> Newest:
    """Raises Refused for an identity that has ended; NotFound, RemoteFailed and RemoteSlow as the directory answers."""
    operation = await registry.directory.last(did)
    if isinstance(operation, Tombstone):
        raise Refused("This identity has ended in the directory.")
    return Newest(plc_operation.normalised(operation), plc_operation.cid_of(operation))
