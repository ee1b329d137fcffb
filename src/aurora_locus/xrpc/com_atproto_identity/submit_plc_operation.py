"""Pass an operation on to the directory, if the account stays whole by it."""

import asyncio
import contextlib

from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import Operation
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity.plc_requests import parse_submitted, require_hosting_kept
from aurora_locus.sequencer import log
from aurora_locus.xrpc.com_atproto_identity.hosted_identity import account_of, hosting_of, newest, require_plc
from aurora_locus.xrpc.method import Call, Outcome


async def run(registry: Registry, call: Call) -> Outcome:
    """The same operation again only announces it. Raises Refused naming what would break, and what the directory says."""
    require_plc(call.did)
    operation = parse_submitted(call.body["operation"])
    submitting = asyncio.create_task(_submit(registry, call, operation))
    try:
        await asyncio.shield(submitting)
    except asyncio.CancelledError:
        # The caller hung up: what the directory has taken must be announced all the same.
        with contextlib.suppress(Exception):
            await submitting
        raise
    return None


async def _submit(registry: Registry, call: Call, operation: Operation) -> None:
    # No change of the handle may come between the check and the directory.
    async with registry.renames.hold(call.did):
        account = await account_of(registry, call.did)
        require_hosting_kept(operation, await hosting_of(registry, account))
        if (await newest(registry, account.did)).cid != plc_operation.cid_of(operation):
            await registry.directory.submit(account.did, operation)
        call.host.network.doubt_did(account.did)
        await _announce(registry, account)


async def _announce(registry: Registry, account: Account) -> None:
    live = registry.repositories.live
    await registry.db.write(lambda w: log.append_identity(w, live, account.did, account.handle))
