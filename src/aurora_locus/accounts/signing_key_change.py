"""Changing the key that signs an account's repository: in the directory, here, and on the firehose, all of them or none.

As with a handle (``renaming``) the operation is stored before it is sent, and what fails in between is put right. Afterwards
the repository is signed anew with an empty commit that is told as the state that it is. A crash in between leaves a head of
the old key until the next write; `openmeet pds repair` signs it anew.
"""

import asyncio
import contextlib
from collections.abc import Callable

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import PrivateKey
from at_protocol.identity.plc_operation import Operation
from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity import plc_updates
from aurora_locus.repository import commit
from aurora_locus.repository.model import Status
from aurora_locus.sequencer import log
from groundwork.database.transaction import Writer
from groundwork.errors import NotFound, Refused, RemoteFailed, RemoteSlow

# Told the old and the new did:key in the transaction that makes the change true here.
Note = Callable[[Writer, str, str], None]


async def change(registry: Registry, did: Did, key: PrivateKey, note: Note) -> None:
    """Give the account this key. Raises NotFound, RemoteFailed, Refused (no did:plc, not active, identity not ours)."""
    if not did.startswith("did:plc:"):
        raise Refused("Only the directory of did:plc can be told another key; this identity is its owner's to change.")
    changing = asyncio.create_task(_change(registry, did, key, note))
    try:
        await asyncio.shield(changing)
    except asyncio.CancelledError:
        # As in ``renaming``: what has begun is ended properly although nobody waits for it.
        with contextlib.suppress(Exception):
            await changing
        raise


async def _change(registry: Registry, did: Did, key: PrivateKey, note: Note) -> None:
    async with registry.renames.hold(did):
        async with registry.db.reader() as reader:
            account = await queries.find(reader, did)
        if account is None:
            raise NotFound("There is no such account on this server.", name="NotFound")
        if account.status is not Status.ACTIVE:
            # Its repository could not be signed anew, and would come back with a signature that the identity denies.
            raise Refused("Only an active account's key is changed.", name="InvalidRequest")
        new = format_did_key(key.public)
        operation = await plc_updates.new_signing_key(registry.directory, registry.rotation_key, did, new)
        if operation is None:
            await _store(registry, account, key, None, note)
        else:
            await plc_updates.intend(registry.db, did, operation)
            try:
                await registry.directory.submit(did, operation)
                await _store(registry, account, key, operation, note)
            except (RemoteFailed, RemoteSlow):
                raise  # the directory is in trouble: `plc_updates.mend` looks later
            except Exception:
                await plc_updates.give_up(registry.plc, did, operation)
                raise
    await commit.recommit(registry.repositories, did, as_sync=True)


async def _store(
    registry: Registry, account: Account, key: PrivateKey, operation: Operation | None, note: Note
) -> None:
    did, keys = account.did, registry.repositories.keys
    before = format_did_key((await keys.signing_key(did)).public)

    def work(w: Writer) -> None:
        if operation is not None:
            plc_updates.settle(w, did, operation)
        if before != format_did_key(key.public):
            keys.make_current(w, did, key)
        note(w, before, format_did_key(key.public))
        log.append_identity(w, registry.repositories.live, did, account.handle)

    # A commit that is under way was signed with the old key: none may land behind the new one.
    async with registry.repositories.locks.hold(did):
        await registry.db.write(work)
