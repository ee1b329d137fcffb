"""What the directory is told about the accounts hosted here, and how a crash in the middle is mended.

An operation is stored as *intended* before it is sent. After the account's transaction it is *sent*. One that is still
intended at the next start belongs to an account that was never made: its identity is ended with a tombstone, because
nobody holds its keys but we, and then it is *abandoned*.
"""

from typing import Protocol

import msgspec

from at_protocol.crypto.did_key import PrivateKey, PublicKey
from at_protocol.data.cid import Cid
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import AnyOperation, LegacyCreate, Operation, Tombstone
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from groundwork.database.transaction import Database, Writer
from groundwork.errors import Failure, NotFound, Refused
from groundwork.telemetry.logs import log

_INTEND = """
    insert into plc_operations (did, cid, operation, state, created_at)
    values (:did, :cid, :operation, 'intended', :created_at)
    on conflict (did, cid) do nothing
"""
_SET_STATE = "update plc_operations set state = :state where did = :did and cid = :cid"
_INTENDED = """
    select p.did, p.cid, p.operation from plc_operations p
     where p.state = 'intended' and not exists (select 1 from accounts a where a.did = p.did)
     order by p.created_at
"""


class Directory(Protocol):
    """The PLC directory as this server uses it; ``at_network.plc_client`` is one."""

    async def submit(self, did: Did, operation: AnyOperation, /) -> None:
        """Raises Refused or Conflict for a refusal, RemoteFailed or RemoteSlow when it cannot be known."""
        ...

    async def last(self, did: Did, /) -> AnyOperation:
        """The newest operation. Raises NotFound when the DID is not registered."""
        ...


def genesis(
    *, rotation_key: PrivateKey, recovery: PublicKey | None, signing: PublicKey, handle: Handle, pds: str
) -> Operation:
    """The signed first operation of a new account; a person's recovery key ranks before the server's."""
    keys = (rotation_key.public,) if recovery is None else (recovery, rotation_key.public)
    unsigned = plc_operation.account_operation(rotation_keys=keys, signing_key=signing, handle=handle, pds=pds)
    return plc_operation.sign(unsigned, rotation_key)


async def intend(db: Database, did: Did, operation: Operation) -> None:
    """Remember the operation before it is sent."""
    text = msgspec.json.encode(plc_operation.to_json(operation)).decode()
    cid = str(plc_operation.cid_of(operation))
    await db.write(lambda w: w.execute(_INTEND, did=did, cid=cid, operation=text, created_at=w.now))


def note_sent(w: Writer, did: Did, cid: Cid) -> None:
    """The account is made, in this transaction."""
    w.execute(_SET_STATE, did=did, cid=str(cid), state="sent")


async def abandon(db: Database, directory: Directory, rotation_key: PrivateKey, did: Did, operation: Operation) -> None:
    """End an identity whose account could not be made. What cannot be ended now is tried again at the next start."""
    cid = plc_operation.cid_of(operation)
    try:
        if not isinstance(await directory.last(did), Tombstone):
            await directory.submit(did, plc_operation.sign(Tombstone(str(cid)), rotation_key))
    except NotFound:
        pass  # it never arrived: there is nothing to end
    except Failure as failure:
        log.warning("identity.left_unfinished", did=did, kind=type(failure).__name__)
        return
    await db.write(lambda w: w.execute(_SET_STATE, did=did, cid=str(cid), state="abandoned"))


async def abandon_unfinished(db: Database, directory: Directory, rotation_key: PrivateKey) -> int:
    """At start: end what a crash left between the directory and us. How many there were."""
    async with db.reader() as reader:
        rows = await reader.fetch(_INTENDED)
    for row in rows:
        operation = plc_operation.parse_operation(msgspec.json.decode(row["operation"]))
        if isinstance(operation, Operation):
            await abandon(db, directory, rotation_key, Did(row["did"]), operation)
    return len(rows)


async def change_handle(directory: Directory, rotation_key: PrivateKey, did: Did, handle: Handle) -> None:
    """Tell the directory a new handle; nothing is sent when it says so already.

    Raises Refused when the identity has ended or is no longer ours to change.
    """
    newest = await directory.last(did)
    if isinstance(newest, Tombstone):
        raise Refused("This identity has ended in the directory.", name="InvalidRequest")
    present = plc_operation.normalised(newest) if isinstance(newest, LegacyCreate) else newest
    name = f"at://{handle}"
    if present.also_known_as[:1] == (name,):
        return
    others = tuple(known for known in present.also_known_as if not known.startswith("at://"))
    changed = Operation(
        rotation_keys=present.rotation_keys,
        verification_methods=present.verification_methods,
        also_known_as=(name, *others),
        services=present.services,
        prev=str(plc_operation.cid_of(newest)),
    )
    await directory.submit(did, plc_operation.sign(changed, rotation_key))
