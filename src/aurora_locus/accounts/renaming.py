"""Changing an account's handle: in the directory, here, and on the firehose, all of them or none (``identity_change``)."""

from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.syntax.did import Did, is_plc
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import handle_proofs, queries
from aurora_locus.accounts.identity_change import Note, carry_out, to_its_end
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity import plc_updates
from aurora_locus.identity.handles import taken
from aurora_locus.sequencer import log
from groundwork.database.transaction import UniqueViolated, Writer
from groundwork.errors import Conflict, Forbidden


def _nothing(_w: Writer, _before: str, _after: str) -> None:
    return


async def rename(registry: Registry, did: Did, wanted: str, note: Note = _nothing) -> None:
    """Give the account this handle; the same one again only announces it.

    Raises InvalidInput and Refused with the Lexicons' names (``identity.handles``), Conflict when two changes race.
    """
    handle = await handle_proofs.require_own(registry, did, wanted)
    await to_its_end(_rename(registry, did, handle, note))


async def _rename(registry: Registry, did: Did, handle: Handle, note: Note) -> None:
    async with registry.renames.hold(did):
        async with registry.db.reader() as reader:
            account = await queries.find(reader, did)
            if account is None:
                raise Forbidden("There is no such account on this server.", name="AccountNotFound")
            quarantine = registry.handle_quarantine
            if account.handle != handle and await queries.handle_is_taken(reader, handle, did, quarantine):
                raise taken()
        # The document of a did:web is its owner's to edit, or made by this server from what it knows (`identity.web_documents`).
        operation = (
            await plc_updates.new_handle(registry.directory, registry.rotation_key, did, handle)
            if is_plc(did)
            else None
        )
        await carry_out(registry, did, operation, lambda: _store(registry, account, handle, operation, note))


async def _store(
    registry: Registry, account: Account, handle: Handle, operation: PlcOperation | None, note: Note
) -> None:
    did = account.did

    def work(w: Writer) -> None:
        if account.handle != handle:
            queries.require_not_kept(w, handle, did, registry.handle_quarantine)
            if not queries.set_handle(w, did, handle, account.handle):
                raise Conflict("The handle was changed by somebody else at the same time.")
            w.after_commit(lambda: registry.repositories.forget_head(did))
        if operation is not None:
            plc_updates.settle(w, did, operation)
        note(w, account.handle, handle)
        log.append_identity(w, registry.repositories.live, did, handle)

    try:
        await registry.db.write(work)
    except UniqueViolated as violated:
        raise taken() from violated
