"""Changing what the directory says about an account: there, here and on the firehose, all of it or nothing.

As with a new account the operation is stored before it is sent; what fails in between is put right in the directory, now or
at the next start (``identity.plc_updates``). What has begun is ended properly although nobody waits for it any more.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine

from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity import plc_updates
from groundwork.database.transaction import Writer
from groundwork.errors import RemoteFailed, RemoteSlow

# Told the old and the new value in the transaction that makes the change true here.
Note = Callable[[Writer, str, str], None]


async def to_its_end(change: Coroutine[None, None, None]) -> None:
    """Run a change; who hangs up meanwhile does not stop it half-way."""
    changing = asyncio.create_task(change)
    try:
        await asyncio.shield(changing)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):
            await changing
        raise


async def carry_out(
    registry: Registry, did: Did, operation: PlcOperation | None, store: Callable[[], Awaitable[None]]
) -> None:
    """Submit the operation (None: the directory says so already), then have ``store`` make it true here."""
    if operation is None:
        await store()
        return
    await plc_updates.intend(registry.db, did, operation)
    try:
        await registry.directory.submit(did, operation)
        await store()
    except (RemoteFailed, RemoteSlow):
        raise  # the directory is in trouble: `plc_updates.mend` looks later
    except Exception:
        await plc_updates.give_up(registry.plc, did, operation)
        raise
