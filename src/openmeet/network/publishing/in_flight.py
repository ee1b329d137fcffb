"""Writes on their way: remembered when they are fixed (``debts.publication_leases.fix``), forgotten when they are answered
and the answer counts.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from at_network.circuits import NotAsked
from groundwork.errors import Failure, RemoteFailed, RemoteSlow, Unavailable
from openmeet.network.publishing.publisher import Publisher
from openmeet.outbox import in_flight
from openmeet.outbox.in_flight import Sent

# After these nobody knows whether it was done: no answer came, or that of something on the way.
_NO_ANSWER = (RemoteFailed, RemoteSlow, Unavailable)


@asynccontextmanager
async def until_answered(publisher: Publisher, writes: Sequence[Sent]) -> AsyncIterator[None]:
    """Around the request that sends these writes: where it is refused they are in doubt no more.

    What was done is in doubt until the row says so (``settling.settle``): another payer may have given the key up meanwhile.
    """
    try:
        yield
    except NotAsked:
        await note_answered(publisher, writes)
        raise
    except _NO_ANSWER:
        raise
    except Failure:
        await note_answered(publisher, writes)
        raise


async def note_answered(publisher: Publisher, writes: Sequence[Sent]) -> None:
    """They were answered, or never left."""
    if not writes:
        return
    async with publisher.db.transaction() as tx:
        for one in sorted(writes, key=lambda one: one.uri):
            await in_flight.answered(tx, one)
