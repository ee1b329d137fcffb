"""What the directory is told about the accounts hosted here, and how a crash in the middle is mended.

An operation is stored as *intended* before it is sent; the transaction that makes it true here turns it into *sent*. Where
that transaction does not come about, the operation is *ending*: from then on nothing can be built on it, and the directory
is put right. A first operation ends with a tombstone, because nobody holds the identity's keys but we; a change of handle
ends with the handle that the account has here. After that it is *abandoned*.
"""

from dataclasses import replace
from typing import Protocol

import msgspec

from at_protocol.crypto.did_key import PrivateKey, PublicKey, format_did_key
from at_protocol.data.cid import Cid
from at_protocol.failures import Misuse
from at_protocol.identity import plc_operation
from at_protocol.identity.did_document import ATPROTO_KEY, PDS_SERVICE
from at_protocol.identity.plc_operation import AnyOperation, Operation, Tombstone
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from groundwork.clock import MINUTE
from groundwork.database.transaction import Database, Writer
from groundwork.errors import Failure, NotFound, Refused, Unavailable
from groundwork.telemetry.logs import log

_INTEND = """
    insert into plc_operations (did, cid, operation, state, created_at)
    values (:did, :cid, :operation, 'intended', :created_at)
    on conflict (did, cid) do update set state = 'intended', created_at = excluded.created_at
"""
_SETTLE = "update plc_operations set state = 'sent' where did = :did and cid = :cid and state = 'intended'"
_GIVE_UP = """
    update plc_operations set state = 'ending' where did = :did and cid = :cid and state in ('intended', 'ending')
    returning created_at
"""
_ABANDON = "update plc_operations set state = 'abandoned' where did = :did and cid = :cid and state = 'ending'"
_UNFINISHED = """
    select did, operation from plc_operations
     where state in ('intended', 'ending') and created_at <= :created_by
     order by created_at
"""
_FORGET_SETTLED = "delete from plc_operations where did = :did and state in ('sent', 'abandoned')"
_HANDLE = "select handle from accounts where did = :did"

# Longer than any sign-up lasts and any request stays on its way. Before that a sign-up may still be running, and an
# operation that the directory does not know may still arrive there.
PATIENCE = 2 * MINUTE


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


def settle(w: Writer, did: Did, operation: Operation) -> None:
    """What the operation says becomes true here, in this transaction. Raises Unavailable when it was given up."""
    if w.execute(_SETTLE, did=did, cid=str(plc_operation.cid_of(operation))) != 1:
        raise Unavailable("This took too long and was given up. Try again.")


def forget_settled(w: Writer, did: Did) -> None:
    """Drop what was sent about a deleted account; what is unfinished is still put right."""
    w.execute(_FORGET_SETTLED, did=did)


async def give_up(db: Database, directory: Directory, rotation_key: PrivateKey, did: Did, operation: Operation) -> None:
    """Put the directory right after an operation whose transaction did not come about.

    Does nothing for one that is settled after all. What cannot be put right now is tried again by :func:`mend`.
    """
    cid = str(plc_operation.cid_of(operation))

    def claim(w: Writer) -> bool | None:
        row = w.fetch_one(_GIVE_UP, did=did, cid=cid)
        return None if row is None else row["created_at"] > w.now - PATIENCE

    try:
        is_young = await db.write(claim)
        if is_young is None:
            return
        if not await _put_right(db, directory, rotation_key, did, operation) and is_young:
            return
        await db.write(lambda w: w.execute(_ABANDON, did=did, cid=cid))
    except Failure as failure:
        log.warning("identity.left_unfinished", did=did, kind=type(failure).__name__)


async def mend(db: Database, directory: Directory, rotation_key: PrivateKey, *, patience: int = PATIENCE) -> int:
    """Give up what nobody will finish: at start everything that is unfinished, later what is older than ``patience``.

    Returns how many operations were looked at.
    """
    async with db.reader() as reader:
        rows = await reader.fetch(_UNFINISHED, created_by=reader.now - patience)
    for row in rows:
        operation = plc_operation.parse_operation(msgspec.json.decode(row["operation"]))
        if not isinstance(operation, Operation):
            raise Misuse("only regular operations are intended")
        await give_up(db, directory, rotation_key, Did(row["did"]), operation)
    return len(rows)


async def _put_right(
    db: Database, directory: Directory, rotation_key: PrivateKey, did: Did, operation: Operation
) -> bool:
    """Undo the operation where it stands; False when the directory does not have it (yet)."""
    cid = plc_operation.cid_of(operation)
    try:
        newest = await directory.last(did)
    except NotFound:
        return False
    if plc_operation.cid_of(newest) != cid:
        # Something was built on it, or was there before it: nobody's claim rests on this operation.
        return operation.prev is None
    if operation.prev is None:
        await directory.submit(did, plc_operation.sign(Tombstone(str(cid)), rotation_key))
        return True
    async with db.reader() as reader:
        row = await reader.fetch_one(_HANDLE, did=did)
    if row is not None:
        await directory.submit(did, _renamed(operation, cid, Handle(row["handle"]), rotation_key))
    return True


async def new_handle(directory: Directory, rotation_key: PrivateKey, did: Did, handle: Handle) -> Operation | None:
    """The signed operation that gives the identity this handle; None when it has it already.

    Raises Refused when the identity has ended.
    """
    newest, prev = await _newest(directory, did)
    if newest.also_known_as[:1] == (f"at://{handle}",):
        return None
    return _renamed(newest, prev, handle, rotation_key)


async def require_hosted_here(
    directory: Directory, rotation_key: PrivateKey, did: Did, signing: PublicKey, pds: str
) -> None:
    """Raise Refused unless the identity names this server, this signing key and our rotation key."""
    newest, _ = await _newest(directory, did)
    service = newest.services.get(PDS_SERVICE)
    problems = []
    if format_did_key(rotation_key.public) not in newest.rotation_keys:
        problems.append("this server's rotation key is not among its keys")
    if service is None or service.endpoint.rstrip("/") != pds:
        problems.append(f"its server is not {pds}")
    if newest.verification_methods.get(ATPROTO_KEY) != format_did_key(signing):
        problems.append("its signing key is not the one of this account")
    if problems:
        raise Refused(f"The identity in the directory is not that of an account here: {', '.join(problems)}.")


async def _newest(directory: Directory, did: Did) -> tuple[Operation, Cid]:
    """What the directory says now, in today's form, and the name that the next operation calls it by."""
    newest = await directory.last(did)
    if isinstance(newest, Tombstone):
        raise Refused("This identity has ended in the directory.")
    return plc_operation.normalised(newest), plc_operation.cid_of(newest)


def _renamed(present: Operation, prev: Cid, handle: Handle, rotation_key: PrivateKey) -> Operation:
    others = tuple(known for known in present.also_known_as if not known.startswith("at://"))
    changed = replace(present, also_known_as=(f"at://{handle}", *others), prev=str(prev), sig=None)
    return plc_operation.sign(changed, rotation_key)
