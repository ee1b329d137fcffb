"""One reader of a stream serves several communities: each gets the messages that it is interested in, once."""

from collections.abc import Sequence

from groundwork.clock import HandClock
from groundwork.queue.contract import QueueUnavailable
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.telemetry.metrics import Metrics
from openmeet.network.firehose.delivery import TenantQueues, deliver
from openmeet.network.firehose.metrics import firehose_metrics
from openmeet.network.firehose.tenant_interests import default_interests, interests_of
from openmeet.network.records.message import Hint, HintKind
from tests.databases import MakeDatabase
from tests.openmeet.firehose.conftest import at_once
from tests.openmeet.ingestion.network import did, event


async def queues_of(
    make_sqlite: MakeDatabase, clock: HandClock, names: Sequence[str] = ("town", "village")
) -> dict[str, EmbeddedQueue]:
    return {name: EmbeddedQueue(await make_sqlite("groundwork.queue"), clock) for name in names}


async def waiting(queues: dict[str, EmbeddedQueue]) -> dict[str, int]:
    return {name: (await queue.depth()).waiting for name, queue in queues.items()}


async def test_each_interested_community_gets_a_message_once(make_sqlite: MakeDatabase, clock: HandClock):
    """The village follows one author only. Every community gets account moves and deletions, and a second source
    repeats nothing.
    """
    queues = await queues_of(make_sqlite, clock)
    delivering = TenantQueues(queues, firehose_metrics(Metrics("openmeet")))
    interests = interests_of([*default_interests("town"), ("village", "did", did(1)), ("gone", "did", did(2))])
    messages = [event(1, "tea", 1), event(2, "chess", 1)]
    for _ in range(2):
        await deliver(delivering, interests, messages)
    assert await waiting(queues) == {"town": 2, "village": 1}
    await deliver(delivering, interests, [Hint(did(2), HintKind.ACCOUNT, "", 3)])
    assert await waiting(queues) == {"town": 3, "village": 2}


class Away(EmbeddedQueue):
    """A queue that does not confirm the first time."""

    is_back = False

    async def publish(self, messages, /) -> None:  # type: ignore[no-untyped-def]  # the contract's own
        if not self.is_back:
            self.is_back = True
            raise QueueUnavailable("The broker is away.")
        await super().publish(messages)


async def test_a_queue_that_does_not_confirm_causes_no_repeats_elsewhere(make_sqlite: MakeDatabase, clock: HandClock):
    queues = await queues_of(make_sqlite, clock, ["hamlet", "town"])
    queues["village"] = Away(await make_sqlite("groundwork.queue"), clock)
    delivering = TenantQueues(queues, firehose_metrics(Metrics("openmeet")), sleep=at_once)
    interests = interests_of([line for name in queues for line in default_interests(name)])
    await deliver(delivering, interests, [event(1, "tea", 1)])
    assert await waiting(queues) == {"hamlet": 1, "town": 1, "village": 1}
