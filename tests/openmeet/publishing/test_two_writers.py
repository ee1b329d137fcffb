"""Two writers of one record, in every order: the host's page and another app, and two installations that share a DID.

Three edits, each followed at some point by its delivery (a send, or the stream), in each of the ninety orders. In the
end page and repository are equal, every manual edit is kept or logged, and nobody writes any more.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import permutations

import pytest

from at_network.xrpc_client import XrpcClient
from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.tid import TidClock
from groundwork.clock import DAY, HOUR, SECOND, Instant
from groundwork.queue.contract import Message
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.events import actions as events
from openmeet.domain.events.edits import local_text
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.events.model import Event
from openmeet.domain.events.rules import check
from openmeet.domain.events.submissions import submission_of, values_of_event
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import MergeSide
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.users.model import Caller
from openmeet.network.firehose.delivery import TenantQueues
from openmeet.network.firehose.metrics import firehose_metrics
from openmeet.network.firehose.tenant_interests import default_interests, interests_of
from openmeet.network.ingestion import merge_review
from openmeet.network.ingestion.apply_event import IngestionContext
from openmeet.network.ingestion.processor import Processor
from openmeet.network.publishing.dependencies import Publisher
from openmeet.network.records.message import RecordMessage, encode
from openmeet.outbox.publications import PublicationKind
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment
from tests.openmeet.ingestion.network import counted

Step = Callable[[], Awaitable[None]]
# Rounds of sending and reading until nothing changes any more. A back-off lasts one minute at most.
ROUNDS = 12


def orders() -> Iterator[tuple[int, ...]]:
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


async def run_until_idle(*sides: Writers, witness: "Witness | None" = None) -> int:
    """Send and read on all sides until the repository no longer changes; return the number of rounds."""
    for number in range(ROUNDS):
        before = await sides[0].revision()
        for side in sides:
            side.deployment.clock.turn(61 * SECOND)
            await side.send()
            if witness is not None:
                await witness.looks(sides[0])
            await side.read_stream()
        if await sides[0].revision() == before and not any([await side.has_unsent_edit() for side in sides]):
            return number
    raise AssertionError(f"still writing after {ROUNDS} rounds")


async def kept(writers: Writers) -> set[str]:
    """All versions of a name that a merge decision has kept."""
    async with writers.deployment.db.reader() as reader:
        found = await merge_decisions.of_records(reader, [writers.uri], ALL_ROWS)
    return {value for one in found for value in (one.decision.ours, one.decision.theirs)}


async def published(deployment: Deployment, cleo: Caller, app: XrpcClient, title: str) -> Writers:
    event = await deployment.event(cleo, title=title)
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.uri is not None
    await deployment.listen(cleo.user_id)
    return Writers(deployment, cleo, publication.uri, app)


async def test_any_order_of_edits_by_page_and_app_converges(deployment: Deployment):
    """A name on the page, a name in the app, and a description on the page."""
    cleo = await deployment.connected("cleo")
    for number, order in enumerate(orders()):
        # The app's session lasts two hours, and each order takes some minutes of the deployment's clock.
        app = await deployment.stranger("cleo")
        writers = await published(deployment, cleo, app, f"Event {number}")
        here, there, words = f"Page {number}", f"App {number}", f"Words {number}"
        edits: list[Step] = [
            lambda w=writers, v=here: w.on_the_page("title", v),
            lambda w=writers, v=there: w.in_the_app("name", v),
            lambda w=writers, v=words: w.on_the_page("description", v),
        ]
        deliveries: list[Step] = [writers.send, writers.read_stream, writers.send]
        mentioned: set[int] = set()
        for one in order:
            deployment.clock.turn(SECOND)
            await (deliveries if one in mentioned else edits)[one]()
            mentioned.add(one)
        rounds = await run_until_idle(writers)
        event, record = await writers.event(), await deployment.record(writers.uri)
        said = f"order {order}"
        assert (event.title, event.content.description) == (record["name"], words), said
        assert record["description"].startswith(words), said
        assert event.title in {here, there}, said
        # The author of the remaining name had read the replaced one, or both are kept for the host.
        lost = there if event.title == here else here
        first, second = (1, 0) if lost == there else (0, 1)
        was_read = order.index(second) > delivered(order, first)
        assert was_read or {here, there} <= await kept(writers), f"{said}: {lost} is lost without a trace"
        assert rounds <= 3, f"{said}: {rounds} rounds"


@pytest.mark.parametrize("order", [(0, 1, 0, 1), (0, 1, 1, 0), (1, 0, 0, 1), (1, 0, 1, 0)], ids=str)
async def test_times_changed_on_both_sides_are_not_mixed(deployment: Deployment, order: tuple[int, ...]):
    """The start of one side is never combined with the end of the other: both sides have times that somebody entered,
    and the host can choose the others.
    """
    cleo = await deployment.connected("cleo")
    app = await deployment.stranger("cleo")
    writers = await published(deployment, cleo, app, "Evening")
    was = await writers.event()
    assert was.starts_at is not None
    await writers.on_the_page("ends", local_text(Instant(was.starts_at + 2 * HOUR), was.time_zone))
    await run_until_idle(writers)
    longer = local_text(Instant(was.starts_at + 3 * HOUR), was.time_zone)
    starts, ends = (format_datetime(Instant(was.starts_at + 7 * DAY + more)) for more in (0, 2 * HOUR))
    edits: list[Step] = [
        lambda: writers.on_the_page("ends", longer),
        lambda: writers.in_the_app_all({"startsAt": starts, "endsAt": ends}),
    ]
    deliveries: list[Step] = [writers.send, writers.read_stream]
    mentioned: set[int] = set()
    for one in order:
        deployment.clock.turn(SECOND)
        await (deliveries if one in mentioned else edits)[one]()
        mentioned.add(one)
    await run_until_idle(writers)
    event, record = await writers.event(), await deployment.record(writers.uri)
    assert (event.starts_at, event.ends_at) == (was.starts_at, was.starts_at + 3 * HOUR)
    assert [record[key] for key in ("startsAt", "endsAt")] == [
        format_datetime(one) for one in (event.starts_at, event.ends_at) if one is not None
    ]
    async with deployment.db.reader() as reader:
        (found, *_) = await merge_decisions.of_records(reader, [writers.uri], ALL_ROWS)
    async with deployment.db.transaction() as tx:
        await merge_review.choose(
            tx, cleo, event.slug, field=found.decision.field, theirs_rev=found.theirs_rev, choice=MergeSide.THEIRS
        )
    await run_until_idle(writers)
    record = await deployment.record(writers.uri)
    assert (record["startsAt"], record["endsAt"]) == (starts, ends)


def delivered(order: tuple[int, ...], edit: int) -> int:
    """The step at which an edit reached the other side: the page's edit with the next send, the app's edit when it is
    ingested.
    """
    made = order.index(edit)
    if edit == 1:
        return order.index(1, made + 1)
    # Any send includes all due edits of the page.
    sends = [at for at, one in enumerate(order) if one != 1 and one in order[:at]]
    return next(at for at in sends if at > made)


async def other_installation(deployment: Deployment, make_sqlite: MakeDatabase) -> Deployment:
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
        publisher=Publisher(db, deployment.network, Catalog(), TidClock(7), enqueue, instance),
        processor=Processor(db, queue, IngestionContext(instance), counted()),
        consumer=replace(
            deployment.consumer,
            db=await make_sqlite("openmeet.network.firehose", clock=deployment.clock),
            interests=interests_of(default_interests("main")),
            tenant_queues=TenantQueues({"main": queue}, counts),
            metrics=counts,
        ),
    )


class Witness:
    """Records which version each author had read when they wrote, and every name that the repository has had."""

    def __init__(self) -> None:
        self.before: dict[str, str] = {}
        self.in_repository: set[str] = set()
        self.versions: set[str] = set()

    async def edits(self, side: Writers, value: str, edit: Step, *, in_app: bool = False) -> None:
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


async def times_sent(side: Writers) -> int:
    """How often this installation has sent the record since its last local edit. Asserts that it has nothing queued and
    no open question.
    """
    async with side.deployment.db.reader() as reader:
        row = await reader.fetch_one("select writes, state from publications where uri = :uri", uri=side.uri)
    assert row is not None
    assert row["state"] == "published"
    return int(row["writes"])


@pytest.mark.parametrize("part", range(2))
async def test_two_installations_that_share_a_did_converge(
    deployment: Deployment, make_sqlite: MakeDatabase, part: int
):
    """A name on each page and a name in an app: in the end both sites show the name in the repository, and nothing
    changes any more.

    No name is lost: it is in the record, or kept for a host to choose, or the author of one of those names had read it.
    If the repository never had it, it is kept on the installation where it was typed. Neither installation sends more
    than necessary: its own edit, and once more its merge. Twenty of the ninety orders, evenly spread.
    """
    cleo = await deployment.connected("cleo")
    other_town = await other_installation(deployment, make_sqlite)
    cleo_there = await other_town.connected_as("cleo")
    for number, order in enumerate([*orders()][part::9]):
        app = await deployment.stranger("cleo")
        here = await published(deployment, cleo, app, f"Event {number}")
        there = Writers(other_town, cleo_there, here.uri, app)
        await there.read_stream()
        witness = Witness()
        names = [f"Here {number}", f"There {number}", f"App {number}"]
        on_pages = [
            (here, lambda w=here, v=names[0]: w.on_the_page("title", v)),
            (there, lambda w=there, v=names[1]: w.on_the_page("title", v)),
        ]
        edits: list[Step] = [
            lambda s=side, v=name, e=edit, w=witness: w.edits(s, v, e)
            for (side, edit), name in zip(on_pages, names[:2], strict=True)
        ]
        edits.append(lambda s=here, v=names[2], w=witness: w.edits(s, v, lambda: s.in_the_app("name", v), in_app=True))
        deliveries: list[Step] = [here.send, there.send, here.read_stream]
        mentioned: set[int] = set()
        for one in order:
            deployment.clock.turn(SECOND)
            await (deliveries if one in mentioned else edits)[one]()
            await witness.looks(here)
            mentioned.add(one)
        rounds = await run_until_idle(here, there, witness=witness)
        record = await deployment.record(here.uri)
        final = str(record["name"])
        said = f"order {order}"
        titles = {(await side.event()).title for side in (here, there)}
        assert titles == {final}, said
        assert rounds <= 4, f"{said}: {rounds} rounds"
        kept_by = {side: await kept(side) for side in (here, there)}
        for name, side in zip(names, (here, there, None), strict=True):
            known = witness.accounted_for({final} | kept_by[here] | kept_by[there])
            assert name in known, f"{said}: {name} is lost without a trace, {final} stands"
            if side is not None and name not in witness.in_repository:
                assert name in kept_by[side], f"{said}: {name} is lost on the site where it was entered"
        sent = [await times_sent(side) for side in (here, there)]
        assert max(sent) <= 2, f"{said}: sent {sent} times"
        assert len(witness.versions) <= 1 + len(edits) + 2, f"{said}: {len(witness.versions)} versions"
