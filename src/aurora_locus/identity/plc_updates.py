"""PLC operations of hosted accounts, and their repair after a crash.

An operation is stored as *intended* before it is sent. The transaction that stores its result marks it *sent*. If that
transaction fails, the operation becomes *ending*: nothing can be built on it any more, and the directory is reverted. A
genesis operation is reverted with a tombstone, because only this server holds the identity's keys; a change of handle
or key is reverted to the account's current values. Then it is *abandoned*.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from at_protocol.crypto.did_key import PrivateKey, PublicKey, format_did_key
from at_protocol.data.cid import Cid
from at_protocol.failures import Misuse
from at_protocol.identity import plc_operation
from at_protocol.identity.did_document import ATPROTO_KEY
from at_protocol.identity.plc_operation import AnyOperation, PlcOperation, Tombstone
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.sequencer import log as events
from aurora_locus.sequencer.live_events import LiveEvents
from groundwork.clock import MINUTE
from groundwork.database.transaction import Database, Writer
from groundwork.errors import Failure, NotFound, Refused, Unavailable
from groundwork.isolation import each_alone
from groundwork.telemetry.logs import log

_INTEND = """
    insert into plc_operations (did, cid, operation, state, created_at)
    values (:did, :cid, :operation, 'intended', :created_at)
    on conflict (did, cid) do update set state = 'intended', created_at = excluded.created_at
"""
_MARK_APPLIED = "update plc_operations set state = 'sent' where did = :did and cid = :cid and state = 'intended'"
_CLAIM_UNDO = """
    update plc_operations set state = 'ending' where did = :did and cid = :cid and state in ('intended', 'ending')
    returning created_at
"""
_ABANDON = "update plc_operations set state = 'abandoned' where did = :did and cid = :cid and state = 'ending'"
_UNFINISHED = """
    select did, operation from plc_operations
     where state in ('intended', 'ending') and created_at <= :created_by
     order by created_at
"""
_SENT = "select cid, operation from plc_operations where did = :did and state = 'sent'"
_END_SENT = "update plc_operations set state = 'ending' where did = :did and cid = :cid and state = 'sent'"
_FORGET_APPLIED = "delete from plc_operations where did = :did and state in ('sent', 'abandoned')"
_AS_HERE = """
    select a.handle, a.awaits, k.did_key
      from accounts a join signing_keys k on k.did = a.did and k.state = 'current'
     where a.did = :did
"""

# Longer than any sign-up or request takes. Until then a sign-up may still be running, and an operation that the
# directory does not have yet may still reach it.
PATIENCE = 2 * MINUTE


class Directory(Protocol):
    """The PLC directory as this server uses it; ``at_network.plc_client`` implements it."""

    async def submit(self, did: Did, operation: AnyOperation, /) -> None:
        """Submit an operation. Raises Refused or Conflict if it is rejected, RemoteFailed or RemoteSlow if the result
        is unknown.
        """
        ...

    async def last(self, did: Did, /) -> AnyOperation:
        """Return the newest operation. Raises NotFound if the DID is not registered."""
        ...


@dataclass(frozen=True, slots=True)
class NewestOperation:
    """The directory's current state in the current operation format, and its CID, which the next operation needs as
    ``prev``.
    """

    operation: PlcOperation
    cid: Cid


@dataclass(frozen=True, slots=True)
class PlcUpdateContext:
    """Dependencies of repairing the directory."""

    db: Database
    directory: Directory
    rotation_key: PrivateKey
    live: LiveEvents


def genesis(
    *, rotation_key: PrivateKey, recovery: Sequence[PublicKey], signing: PublicKey, handle: Handle, pds: str
) -> PlcOperation:
    """Return the signed genesis operation of a new account. Recovery keys, strongest first, rank above the server's
    key.
    """
    # The owner may have entered the operator's key as well, so duplicates are dropped.
    keys = tuple(dict.fromkeys((*recovery, rotation_key.public)))
    unsigned = plc_operation.account_operation(rotation_keys=keys, signing_key=signing, handle=handle, pds=pds)
    return plc_operation.sign(unsigned, rotation_key)


async def intend(db: Database, did: Did, operation: PlcOperation) -> None:
    """Store the operation before it is sent."""
    text = msgspec.json.encode(plc_operation.to_json(operation)).decode()
    cid = str(plc_operation.cid_of(operation))
    await db.write(lambda w: w.execute(_INTEND, did=did, cid=cid, operation=text, created_at=w.now))


def mark_applied(w: Writer, did: Did, operation: PlcOperation) -> None:
    """Mark the operation as applied, in this transaction. Raises Unavailable if it was abandoned."""
    if w.execute(_MARK_APPLIED, did=did, cid=str(plc_operation.cid_of(operation))) != 1:
        raise Unavailable(gettext_noop("This took too long, so we stopped. Try again."))


def forget_applied(w: Writer, did: Did) -> None:
    """Delete the sent operations of a deleted account; unfinished ones are still repaired."""
    w.execute(_FORGET_APPLIED, did=did)


def end_own(w: Writer, did: Did, own_keys: Collection[PublicKey]) -> None:
    """Make ``repair`` tombstone the identity of an account that was never announced.

    This happens only if nobody has built on the identity and only this server and its operator hold its keys. Any other
    identity belongs to its owner.
    """
    rows = w.fetch(_SENT, did=did)
    if len(rows) != 1:
        return
    operation = plc_operation.parse_operation(msgspec.json.decode(rows[0]["operation"]))
    if not isinstance(operation, PlcOperation) or operation.prev is not None:
        return
    if set(operation.rotation_keys) <= {format_did_key(key) for key in own_keys}:
        w.execute(_END_SENT, did=did, cid=rows[0]["cid"])


async def undo(context: PlcUpdateContext, did: Did, operation: PlcOperation) -> bool:
    """Revert the directory after an operation whose transaction failed. Return whether that is done.

    Does nothing for an operation that was applied. What cannot be reverted now is retried by ``repair``.
    """
    db = context.db
    cid = str(plc_operation.cid_of(operation))

    def claim(w: Writer) -> bool | None:
        row = w.fetch_one(_CLAIM_UNDO, did=did, cid=cid)
        return None if row is None else row["created_at"] > w.now - PATIENCE

    try:
        is_young = await db.write(claim)
        if is_young is None:
            return True
        if not await _revert(context, did, operation) and is_young:
            return False
        await db.write(lambda w: _abandon(w, context.live, did, operation))
    except Failure as failure:
        log.warning("identity.left_unfinished", did=did, kind=type(failure).__name__)
        return False
    return True


async def unfinished(db: Database, *, patience: int = PATIENCE) -> list[tuple[Did, PlcOperation]]:
    """Return operations that were intended at least ``patience`` ago and neither applied nor reverted, oldest first."""
    async with db.reader() as reader:
        rows = await reader.fetch(_UNFINISHED, created_by=reader.now - patience)
    operations = []
    for row in rows:
        operation = plc_operation.parse_operation(msgspec.json.decode(row["operation"]))
        if not isinstance(operation, PlcOperation):
            raise Misuse("only regular operations are intended")
        operations.append((Did(row["did"]), operation))
    return operations


async def unfinished_at_start(db: Database) -> list[tuple[Did, PlcOperation]]:
    """Return operations left by a crash. Called before this process serves requests.

    A SQLite file is used by one process only, which has just started, so every unfinished operation was left by a
    crash. With PostgreSQL, other processes may be handling sign-ups, so only the age shows that an operation was left
    behind.
    """
    return await unfinished(db, patience=0 if db.engine == "sqlite" else PATIENCE)


async def repair(context: PlcUpdateContext, rows: Sequence[tuple[Did, PlcOperation]] | None = None) -> int:
    """Revert these unfinished operations, or those older than ``PATIENCE``.

    Return how many remain unfinished, because the directory is down or must be checked again.
    """
    to_revert = await unfinished(context.db) if rows is None else rows

    async def revert(row: tuple[Did, PlcOperation]) -> int:
        return await undo(context, *row)

    return len(to_revert) - await each_alone("identities", to_revert, revert, name_of=lambda row: row[0])


def _abandon(w: Writer, live: LiveEvents, did: Did, operation: PlcOperation) -> None:
    # Only one of several concurrent repairs announces the change.
    if w.execute(_ABANDON, did=did, cid=str(plc_operation.cid_of(operation))) != 1 or operation.prev is None:
        return
    row = w.fetch_one(_AS_HERE, did=did)
    if row is not None and row["awaits"] is None:
        # The network may have cached the document with the other handle, and would keep it for a day.
        events.append_identity(w, live, did, Handle(row["handle"]))


async def _revert(context: PlcUpdateContext, did: Did, operation: PlcOperation) -> bool:
    """Revert the operation. Return False if the directory does not have it (yet)."""
    cid = plc_operation.cid_of(operation)
    try:
        newest = await context.directory.last(did)
    except NotFound:
        return False
    if plc_operation.cid_of(newest) != cid:
        # The directory has a later operation, or never got this one, so nothing depends on it.
        return operation.prev is None
    if operation.prev is None:
        await context.directory.submit(did, plc_operation.sign(Tombstone(str(cid)), context.rotation_key))
        return True
    async with context.db.reader() as reader:
        row = await reader.fetch_one(_AS_HERE, did=did)
    if row is not None:
        methods = {**operation.verification_methods, ATPROTO_KEY: row["did_key"]}
        present = replace(operation, verification_methods=methods)
        await context.directory.submit(did, _renamed(present, cid, Handle(row["handle"]), context.rotation_key))
    return True


async def new_handle(directory: Directory, rotation_key: PrivateKey, did: Did, handle: Handle) -> PlcOperation | None:
    """Return the signed operation that sets this handle; None if the identity already has it.

    Raises Refused for an ended identity.
    """
    newest = await newest_operation(directory, did)
    if newest.operation.also_known_as[:1] == (f"at://{handle}",):
        return None
    return _renamed(newest.operation, newest.cid, handle, rotation_key)


async def new_signing_key(directory: Directory, rotation_key: PrivateKey, did: Did, key: str) -> PlcOperation | None:
    """Return the signed operation that sets this signing key (a did:key); None if the identity already has it.

    Raises Refused for an ended identity, or one without our rotation key.
    """
    newest = await newest_operation(directory, did)
    present = newest.operation
    if present.verification_methods.get(ATPROTO_KEY) == key:
        return None
    if format_did_key(rotation_key.public) not in present.rotation_keys:
        raise Refused(
            gettext_noop("This server’s rotation key isn’t among the identity’s keys, so it can’t sign for it.")
        )
    methods = {**present.verification_methods, ATPROTO_KEY: key}
    changed = replace(present, verification_methods=methods, prev=str(newest.cid), sig=None)
    return plc_operation.sign(changed, rotation_key)


async def newest_operation(directory: Directory, did: Did) -> NewestOperation:
    """Return the current state of the identity in the directory.

    Raises Refused for an ended identity; NotFound, RemoteFailed and RemoteSlow according to the directory's response.
    """
    newest = await directory.last(did)
    if isinstance(newest, Tombstone):
        raise Refused(gettext_noop("This identity has been deactivated in the directory."))
    return NewestOperation(plc_operation.normalised(newest), plc_operation.cid_of(newest))


def _renamed(present: PlcOperation, prev: Cid, handle: Handle, rotation_key: PrivateKey) -> PlcOperation:
    other_aliases = tuple(alias for alias in present.also_known_as if not alias.startswith("at://"))
    changed = replace(present, also_known_as=(f"at://{handle}", *other_aliases), prev=str(prev), sig=None)
    return plc_operation.sign(changed, rotation_key)
