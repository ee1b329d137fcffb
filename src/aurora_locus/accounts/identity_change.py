"""Change an account's identity in the directory, in the database and on the firehose: either all three change, or none
does.

As with a new account, the operation is stored before it is sent, and after a failure in between the directory is
repaired at once or at the next start (``identity.plc_updates``). A change that has begun is finished even if the client
hangs up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.identity import plc_updates
from groundwork.database.transaction import Writer
from groundwork.errors import RemoteFailed, RemoteSlow
from groundwork.telemetry.logs import log

T = TypeVar("T")

# Writes the change into the audit log. Called with the old and the new value, in the transaction that stores the
# change.
ChangeNote = Callable[[Writer, str, str], None]


async def finish_even_if_cancelled(change: Coroutine[None, None, T]) -> T:
    """Run a change to its end even if the caller is cancelled because the client hung up. Stopping halfway could leave
    the directory and the database inconsistent. A failure that nobody can be told of any more is logged.
    """
    changing = asyncio.create_task(change)
    try:
        return await asyncio.shield(changing)
    except asyncio.CancelledError:
        # Unlike awaiting the task itself, this does not pass on a second cancellation, for example when the server stops.
        await asyncio.wait({changing})
        failure = None if changing.cancelled() else changing.exception()
        if failure is not None:
            log.warning("identity_change.failed", kind=type(failure).__name__, why=str(failure))
        raise


async def submit_and_store(
    registry: Registry, did: Did, operation: PlcOperation | None, store: Callable[[], Awaitable[None]]
) -> None:
    """Submit the PLC operation, then store the change with ``store``. ``operation`` is None if the directory is already
    up to date. Raises what ``submit`` of the directory and ``store`` raise.
    """
    if operation is None:
        await store()
        return
    await plc_updates.intend(registry.db, did, operation)
    try:
        await registry.directory.submit(did, operation)
        await store()
    except (RemoteFailed, RemoteSlow):
        raise  # the directory is failing; `plc_updates.repair` retries later
    except Exception:
        await plc_updates.undo(registry.plc, did, operation)
        raise
