"""Change the caller's handle: here, in the directory, and on the firehose."""

from aurora_locus.accounts import queries
from aurora_locus.accounts.creation import QUARANTINE
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity import plc_updates
from aurora_locus.identity.handles import require_registrable
from aurora_locus.sequencer import log
from aurora_locus.xrpc.method import Call, Outcome
from groundwork.clock import Instant
from groundwork.database.transaction import UniqueViolated, Writer
from groundwork.errors import Forbidden, Refused


async def run(registry: Registry, call: Call) -> Outcome:
    """Raises InvalidInput and Refused with the Lexicons' names; the same handle again only announces it."""
    did = call.did
    handle = require_registrable(call.body["handle"], registry.handle_domains, is_development=registry.is_development)
    async with registry.db.reader() as reader:
        account = await queries.find(reader, did)
        if account is None:
            raise Forbidden("There is no such account on this server.", name="AccountNotFound")
        changes = account.handle != handle
        if changes and await queries.handle_is_taken(reader, handle, Instant(reader.now - QUARANTINE)):
            raise Refused("This handle is taken. Choose another one.", name="HandleNotAvailable")
    old = account.handle
    await plc_updates.change_handle(registry.directory, registry.rotation_key, did, handle)

    def work(w: Writer) -> None:
        if changes:
            queries.set_handle(w, did, handle, old)
        log.append_identity(w, registry.repositories.live, did, handle)

    try:
        await registry.db.write(work)
    except UniqueViolated as violated:
        # Somebody was faster: the directory gets the old name back.
        await plc_updates.change_handle(registry.directory, registry.rotation_key, did, old)
        raise Refused("This handle is taken. Choose another one.", name="HandleNotAvailable") from violated
    return None
