"""One event that its page on a site and another app edit at the same time."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import permutations

from at_network.xrpc_client import XrpcClient
from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.tid import TidClock
from groundwork.clock import SECOND
from groundwork.queue.contract import Message
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.events import actions as events
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.events.model import Event
from openmeet.domain.events.rules import check
from openmeet.domain.events.submissions import submission_of, values_of_event
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.users.model import Caller
from openmeet.network.firehose.delivery import TenantQueues
from openmeet.network.firehose.metrics import firehose_metrics
from openmeet.network.firehose.tenant_interests import default_interests, interests_of
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.processor import Processor
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.records.message import RecordMessage, encode
from openmeet.outbox.publications import PublicationKind
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment
from tests.openmeet.ingestion.network import processor_metrics

WriterStep = Callable[[], Awaitable[None]]


# Rounds of sending and reading until nothing changes any more. A back-off lasts one minute at most.
MAX_ROUNDS = 12


def edit_orders() -> Iterator[tuple[int, ...]]:
    """All orders of three edits and their deliveries. The first occurrence of a number is the edit, the second its
    delivery.
    """
    yield from sorted(set(permutations((0, 0, 1, 1, 2, 2))))


class Writers:
    """A published event of Cleo's, with her page on this site and another app of hers."""

    def __init__(self, deployment: Deployment, cleo: Caller, uri: str, app: XrpcClient) -> None:
        self.deployment, self.cleo, self.uri, self.app = deployment, cleo, uri, app
        self.did, self.collection, self.rkey = uri.removeprefix("at://").split("/")

    async def event(self) -> Event:
        async with self.deployment.db.reader() as reader:
            found = await by_record_uri(reader, self.uri)
        assert found is not None
        return found

    async def on_the_page(self, field: str, value: str) -> None:
        event = await self.event()
        details = check(submission_of(values_of_event(event) | {field: value}), event)
        async with self.deployment.db.transaction() as tx:
            await events.revise(tx, self.cleo, event.slug, details)

    async def in_the_app(self, field: str, value: str) -> None:
        await self.in_the_app_all({field: value})

    async def in_the_app_all(self, values: dict[str, str]) -> None:
        """Change only these fields, as a careful app does."""
        record = await self.deployment.record(self.uri)
        cid = record.pop("cid")
        wish = {"repo": self.did, "collection": self.collection, "rkey": self.rkey, "swapRecord": cid}
        await self.app.procedure("com.atproto.repo.putRecord", {**wish, "record": {**record, **values}})

    async def send(self) -> None:
        await self.deployment.deliver_publications()

    async def read_stream(self) -> None:
        await self.deployment.listen(self.cleo.user_id)

    async def has_unsent_edit(self) -> bool:
        question = "select 1 from publications where uri = :uri and state <> 'published'"
        async with self.deployment.db.reader() as reader:
            return await reader.fetch_one(question, uri=self.uri) is not None

    async def revision(self) -> str:
        newest = await self.app.query("com.atproto.sync.getLatestCommit", {"did": self.did})
        return str(newest["rev"])


class Witness:
    """Records which version each author had read when they wrote, and every name that the repository has had."""

    def __init__(self) -> None:
        self.before: dict[str, str] = {}
        self.in_repository: set[str] = set()
        self.versions: set[str] = set()

    async def edits(self, side: Writers, value: str, edit: WriterStep, *, in_app: bool = False) -> None:
        name = (await side.deployment.record(side.uri))["name"]
        self.before[value] = str(name) if in_app else (await side.event()).title
        await edit()

    async def looks(self, side: Writers) -> None:
        record = await side.deployment.record(side.uri)
        self.in_repository.add(str(record["name"]))
        self.versions.add(str(record["cid"]))

    def accounted_for(self, there: set[str]) -> set[str]:
        """These names, and recursively the names that their authors had read before they overwrote them."""
        found: set[str] = set()
        while there - found:
            found |= there
            there = {self.before[name] for name in found if name in self.before}
        return found


async def write_until_idle(*sides: Writers, witness: "Witness | None" = None) -> int:
    """Send and read on all sides until the repository no longer changes; return the number of rounds."""
    for number in range(MAX_ROUNDS):
        before = await sides[0].revision()
        for side in sides:
            side.deployment.clock.turn(61 * SECOND)
            await side.send()
            if witness is not None:
                await witness.looks(sides[0])
            await side.read_stream()
        if await sides[0].revision() == before and not any([await side.has_unsent_edit() for side in sides]):
            return number
    raise AssertionError(f"still writing after {MAX_ROUNDS} rounds")


async def kept_names(writers: Writers) -> set[str]:
    """All versions of a name that a merge decision has kept."""
    async with writers.deployment.db.reader() as reader:
        found = await merge_decisions.of_records(reader, [writers.uri], ALL_ROWS)
    return {value for one in found for value in (one.decision.ours, one.decision.theirs)}


async def publish_for_writers(deployment: Deployment, cleo: Caller, app: XrpcClient, title: str) -> Writers:
    event = await deployment.event(cleo, title=title)
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.uri is not None
    await deployment.listen(cleo.user_id)
    return Writers(deployment, cleo, publication.uri, app)


def delivered_at(order: tuple[int, ...], edit: int) -> int:
    """The step at which an edit reached the other side: the page's edit with the next send, the app's edit when it is
    ingested.
    """
    made = order.index(edit)
    if edit == 1:
        return order.index(1, made + 1)
    # Any send includes all due edits of the page.
    sends = [at for at, one in enumerate(order) if one != 1 and one in order[:at]]
    return next(at for at in sends if at > made)


async def open_other_site(deployment: Deployment, make_sqlite: MakeDatabase) -> Deployment:
    """A second site with its own database, queue and consumer, on the same network."""
    db = await make_sqlite("openmeet", clock=deployment.clock)
    queue = EmbeddedQueue(await make_sqlite("groundwork.queue", clock=deployment.clock), deployment.clock)
    counts = firehose_metrics(Metrics("openmeet"))

    async def enqueue(messages: list[RecordMessage]) -> None:
        await queue.publish([Message(one.routing_key, one.did, encode(one), one.message_id) for one in messages])

    instance = "https://other.example"
    return replace(
        deployment,
        db=db,
        queue=queue,
        publisher=PublishingDependencies(db, deployment.network, Catalog(), TidClock(7), enqueue, instance),
        processor=Processor(db, queue, IngestionContext(instance), processor_metrics()),
        consumer=replace(
            deployment.consumer,
            db=await make_sqlite("openmeet.network.firehose", clock=deployment.clock),
            interests=interests_of(default_interests("main")),
            tenant_queues=TenantQueues({"main": queue}, counts),
            metrics=counts,
        ),
    )
