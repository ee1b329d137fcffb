"""Servers that fail, respond with 429 or are slow: they are not flooded, nobody else waits for them, and in the end
everything arrives.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from at_network.circuits import OPENS_AFTER, CircuitState
from at_protocol.sync.verify import check_rev
from groundwork.clock import HOUR, MINUTE
from groundwork.http import connection_shares
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.events import actions as events
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.publishing import schedule
from openmeet.network.publishing.delivery import deliver_now
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.records.metrics import SyncResult
from openmeet.network.repositories import circuits
from openmeet.network.status import failing_servers
from openmeet.outbox import publication_queries
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason
from tests.openmeet.deployment import Deployment
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.publishing.accounts import living_at
from tests.simulation.proxy import LossyProxy, never, passes
from tests.timeouts import TIMEOUT_SECONDS

__all__ = ["deployment"]


EVENTS_OF_EACH = 12


@pytest.fixture
async def busy(deployment: Deployment) -> AsyncIterator[LossyProxy]:
    """The proxy in front of a second server."""
    async with LossyProxy(deployment.pds_url) as proxy:
        yield proxy


async def all_of(deployment: Deployment, *people: Caller) -> list[Event]:
    return [
        await deployment.event(person, title=f"Event {number}") for person in people for number in range(EVENTS_OF_EACH)
    ]


async def states(deployment: Deployment, events: list[Event]) -> set[PublicationState]:
    return {(await deployment.status_of(PublicationKind.EVENT, event.id)).state for event in events}


async def pass_time(deployment: Deployment, microseconds: int, steps: int) -> None:
    for _ in range(steps):
        deployment.clock.turn(microseconds // steps)
        await deployment.deliver_publications()


async def test_dead_and_busy_servers_are_not_flooded_and_everything_arrives(deployment: Deployment, busy: LossyProxy):
    """A backlog of many records for two servers, one that is down and one that answers 429, while a third one works."""
    dead, asked = deployment.proxy, {"dead": 0, "busy": 0}
    cleo, dan = await living_at(deployment, dead, "cleo", "dan")
    eve, fay = await living_at(deployment, busy, "eve", "fay")
    gus = await deployment.connected("gus")

    def breaks(_request: web.Request) -> bool:
        asked["dead"] += 1
        return True

    def refuses(_request: web.Request) -> web.Response:
        asked["busy"] += 1
        return web.json_response({"error": "RateLimitExceeded"}, status=429, headers={"retry-after": "600"})

    dead.delays, busy.stops = breaks, refuses
    backlog = await all_of(deployment, cleo, dan, eve, fay)
    others = await all_of(deployment, gus)
    for _ in range(4):
        await deployment.deliver_publications()
    assert await states(deployment, others) == {PublicationState.PUBLISHED}, "no job waits for them"
    await pass_time(deployment, HOUR, 60)
    # Five calls until the circuit breaker opens and some that are already running, then one after each growing pause:
    # 30 s, 1, 2, 4, 8, 15 minutes. The HTTP client itself retries once on a broken connection that had been used
    # before.
    assert asked["dead"] < EVENTS_OF_EACH * 3
    # One for each account, then one every ten minutes for all of them.
    assert asked["busy"] < 20
    async with deployment.db.reader() as reader:
        servers = {one.pds_url: one for one in await failing_servers(reader)}
        known = circuits.counts(await circuits.known(reader), reader.now)
    assert servers[dead.url].circuit is CircuitState.OPEN
    assert servers[dead.url].records == 2 * EVENTS_OF_EACH
    assert sum(known.values()) == 2

    dead.delays, busy.stops = never, passes
    await pass_time(deployment, 2 * HOUR, 40)
    assert await states(deployment, backlog) == {PublicationState.PUBLISHED}
    async with deployment.db.reader() as reader:
        assert await circuits.known(reader) == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_slow_server_does_not_delay_other_repositories(deployment: Deployment):
    """The server responds only when this test lets it. Records of other people, queued before and after, are sent
    meanwhile.
    """
    held, is_asked = asyncio.Event(), asyncio.Event()

    async def waits(_request: web.Request) -> None:
        is_asked.set()
        await held.wait()

    (cleo,) = await living_at(deployment, deployment.proxy, "cleo")
    gus = await deployment.connected("gus")
    deployment.proxy.meanwhile = waits
    hers = await deployment.event(cleo, title="Slow")
    before = await deployment.event(gus, title="Before")
    stop, wake = asyncio.Event(), asyncio.Event()
    paying = asyncio.create_task(schedule.run(deployment.publisher, stop, wake=wake, idle_seconds=0.01))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await is_asked.wait()
            await until_published(deployment, before)
            after = await deployment.event(gus, title="After")
            await until_published(deployment, after)
            assert (await deployment.status_of(PublicationKind.EVENT, hers.id)).state is PublicationState.SENDING
            held.set()
            await until_published(deployment, hers)
    finally:
        held.set()
        stop.set()
        await paying


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_delivery_goes_on_when_the_request_no_longer_waits(deployment: Deployment):
    held, is_asked = asyncio.Event(), asyncio.Event()

    async def waits(_request: web.Request) -> None:
        is_asked.set()
        await held.wait()

    (cleo,) = await living_at(deployment, deployment.proxy, "cleo")
    deployment.proxy.meanwhile = waits
    event = await deployment.event(cleo, title="Slow")
    try:
        assert not await deliver_now(deployment.publisher, PublicationKind.EVENT, event.id, deadline_seconds=0)
        # The event loop holds tasks weakly, so somebody else must hold the delivery.
        (delivery,) = deployment.publisher.deliveries
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await is_asked.wait()
            held.set()
            await delivery
    finally:
        held.set()
    assert not deployment.publisher.deliveries
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_what_a_request_delivers_is_counted(deployment: Deployment):
    results = counted_results(deployment)
    event = await deployment.event(await deployment.connected("cleo"))
    assert await deliver_now(deployment.publisher, PublicationKind.EVENT, event.id, deadline_seconds=TIMEOUT_SECONDS)
    assert results == [("event", SyncResult.SUCCESS)]


def counted_results(deployment: Deployment) -> list[tuple[str, SyncResult]]:
    """The results that the publisher counts from now on."""
    results: list[tuple[str, SyncResult]] = []
    deployment.publisher = replace(
        deployment.publisher, count_result=lambda kind, result: results.append((kind, result))
    )
    return results


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("names", [("cleo",), ("cleo", "dan")], ids=["written together", "written one by one"])
async def test_an_outcome_that_cannot_be_stored_stops_no_other_delivery(deployment: Deployment, names: tuple[str, ...]):
    """The other record is retried as usual, and what became of it is counted. The first one waits until its lease ends."""
    people = await living_at(deployment, deployment.proxy, *names)
    results = counted_results(deployment)
    lost, other = await deployment.event(people[0]), await deployment.event(people[-1])
    async with deployment.db.transaction() as tx:
        await tx.execute(
            "create trigger fails before update on publications"
            f" when new.state = 'retrying' and new.subject_id = '{lost.id}'"
            " begin select raise(abort, 'CHECK constraint failed: disk'); end"
        )
    deployment.proxy.stops = lambda _request: web.json_response({"error": "InternalServerError"}, status=500)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, lost.id)).state is PublicationState.SENDING
    assert (await deployment.status_of(PublicationKind.EVENT, other.id)).state is PublicationState.RETRYING
    assert results == [("event", SyncResult.RETRIED)]
    async with deployment.db.transaction() as tx:
        await tx.execute("drop trigger fails")
    deployment.proxy.stops = passes
    await pass_time(deployment, 5 * MINUTE, 5)
    assert await states(deployment, [lost, other]) == {PublicationState.PUBLISHED}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_request_whose_outcome_cannot_be_stored_raises_nothing(deployment: Deployment):
    """Nobody awaits the delivery, so a failure in it would be reported as never retrieved."""
    (cleo,) = await living_at(deployment, deployment.proxy, "cleo")
    event = await deployment.event(cleo)
    async with deployment.db.transaction() as tx:
        await tx.execute(
            "create trigger fails before update on publications when new.state = 'retrying'"
            " begin select raise(abort, 'CHECK constraint failed: disk'); end"
        )
    deployment.proxy.stops = lambda _request: web.json_response({"error": "InternalServerError"}, status=500)
    assert not await deliver_now(deployment.publisher, PublicationKind.EVENT, event.id, deadline_seconds=0)
    (delivery,) = deployment.publisher.deliveries
    with capture_logs() as lines:
        await delivery
    assert [line["subjects"] for line in lines if line["event"] == "publications.result_lost"] == [[event.id]]


async def until_published(deployment: Deployment, event: Event) -> None:
    while (await deployment.status_of(PublicationKind.EVENT, event.id)).state is not PublicationState.PUBLISHED:  # noqa: ASYNC110 - a database rings no bell
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_nobody_waits_for_a_server_that_is_known_to_be_down(deployment: Deployment):
    """A click that needs the server gets its response at once, and the change is stored and queued."""
    (cleo,) = await living_at(deployment, deployment.proxy, "cleo")
    asked = 0

    def breaks(_request: web.Request) -> bool:
        nonlocal asked
        asked += 1
        return True

    deployment.proxy.delays = breaks
    await all_of(deployment, cleo)
    await pass_time(deployment, MINUTE, 6)
    before = asked
    event = await deployment.event(cleo, title="Now")
    assert not await deliver_now(deployment.publisher, PublicationKind.EVENT, event.id, deadline_seconds=20)
    assert asked == before
    async with deployment.db.reader() as reader:
        publication = await publication_queries.find(reader, PublicationKind.EVENT, event.id)
    assert (publication.state, publication.attempts) == (PublicationState.DUE, 0)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("titles", [("Tea",), ("Tea", "Cake")], ids=["written alone", "written together"])
async def test_a_write_without_a_free_connection_was_not_sent(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, titles: tuple[str, ...]
):
    """A slow request has the only connection. The write fails no attempt, and it cannot arrive later."""
    monkeypatch.setattr(connection_shares, "MAX_WAIT_SECONDS", 0.01)
    http = HttpClient(DEVELOPMENT, connections=1, shares_connections=True)
    publisher = replace(deployment.publisher, network=replace(deployment.network, http=http))
    (cleo,) = await living_at(deployment, deployment.proxy, "cleo")
    events = [await deployment.event(cleo, title=title) for title in titles]
    held, is_asked = asyncio.Event(), asyncio.Event()

    async def waits(_request: web.Request) -> None:
        is_asked.set()
        await held.wait()

    deployment.proxy.meanwhile = waits
    slow = asyncio.create_task(http.get(f"{deployment.proxy.url}/xrpc/_health", timeout_seconds=TIMEOUT_SECONDS))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await is_asked.wait()
            await schedule.run_once(publisher)
    finally:
        held.set()
        await slow
        await http.close()
    async with deployment.db.reader() as reader:
        rows = [await publication_queries.find(reader, PublicationKind.EVENT, event.id) for event in events]
        in_flight = await reader.fetch("select uri from in_flight_creates")
    assert in_flight == []
    assert [(row.state, row.attempts) for row in rows] == [(PublicationState.RETRYING, 0)] * len(events)
    await pass_time(deployment, MINUTE, 2)
    assert await states(deployment, events) == {PublicationState.PUBLISHED}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_programs_tell_each_other_which_server_fails_a_request(deployment: Deployment):
    """A server fails the requests of one program, which opens its circuit. Another program does not call the server.
    When it works again, the program that notices closes the circuit for both.
    """
    (cleo,) = await living_at(deployment, deployment.proxy, "cleo")
    here, there = (replace(deployment.publisher, network=replace(deployment.network)) for _ in range(2))
    asked = 0

    def breaks(_request: web.Request) -> bool:
        nonlocal asked
        asked += 1
        return True

    async def is_delivered_by(program: PublishingDependencies) -> bool:
        event = await deployment.event(cleo)
        return await deliver_now(program, PublicationKind.EVENT, event.id, deadline_seconds=TIMEOUT_SECONDS)

    deployment.proxy.delays = breaks
    for _ in range(OPENS_AFTER):
        assert not await is_delivered_by(here)
    async with deployment.db.reader() as reader:
        assert [one.service for one in await circuits.known(reader)] == [deployment.proxy.url]
    before = asked
    assert before > 0
    assert not await is_delivered_by(there)
    assert asked == before
    deployment.proxy.delays = never
    deployment.clock.turn(MINUTE)
    assert await is_delivered_by(there)
    async with deployment.db.reader() as reader:
        assert await circuits.known(reader) == []
    assert await is_delivered_by(here)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_server_that_no_longer_hosts_the_account_decides_nothing(deployment: Deployment):
    """The account has moved and this site has not noticed yet. The identity is resolved again, and the record waits for
    the person to sign in.
    """
    (cleo,) = await living_at(deployment, deployment.proxy, "cleo")
    did = (await deployment.identity(cleo.user_id)).did
    await deployment.deliver_jobs()
    deployment.clock.turn(MINUTE)
    async with deployment.db.transaction() as tx:
        # A program whose clock is ahead has requested an earlier resolution.
        await enqueue_again(tx, JobKind.REFRESH_IDENTITY, [did])
        await tx.execute("update outbox_jobs set state = 'completed' where kind = 'refresh_identity'")
    deployment.clock.turn(-MINUTE)
    event = await deployment.event(cleo, title="Tea")

    def has_moved(_request: web.Request) -> web.Response:
        return web.json_response({"error": "RepoDeactivated", "message": "This account has moved."}, status=400)

    deployment.proxy.stops = has_moved
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.BLOCKED
    async with deployment.db.reader() as reader:
        queued = await reader.fetch("select subject from outbox_jobs where kind = 'refresh_identity' and state = 'due'")
    assert [row["subject"] for row in queued] == [did]
    deployment.proxy.stops = passes
    await deployment.connected_as("cleo")
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_rev_from_the_future_is_rejected_when_it_is_read_back(deployment: Deployment):
    """A server had a wrong clock. A rev from the future would take precedence over everything until that time. The
    record waits and is completed later.
    """
    cleo = await deployment.connected("cleo")
    did = (await deployment.identity(cleo.user_id)).did
    record = {"$type": "org.example.note", "text": "early"}
    deployment.clock.turn(HOUR)
    stranger = await deployment.stranger("cleo")
    await stranger.procedure(
        "com.atproto.repo.createRecord", {"repo": did, "collection": "org.example.note", "record": record}
    )
    deployment.clock.turn(-HOUR)
    event = await deployment.event(cleo, title="Tea")
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert (publication.state, publication.reason) == (PublicationState.RETRYING, PublicationReason.CLOCK_AHEAD())
    async with deployment.db.reader() as reader:
        newest = await reader.fetch("select max(rev) as rev from records")
    assert newest[0]["rev"] is None
    deployment.clock.turn(HOUR + MINUTE)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("rev", ["bzzzzzzzzzzzz", "soon"])
async def test_an_impossible_rev_of_a_delete_is_checked_in_the_repository(deployment: Deployment, rev: str):
    """The response to a delete is only a claim. If its rev is missing or in the future, the repository itself proves
    when the record was deleted.
    """
    (cleo,) = await living_at(deployment, deployment.proxy, "cleo")
    event = await deployment.event(cleo, title="Tea")
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED

    def claims(request: web.Request, answer: web.Response) -> web.Response | None:
        is_delete = request.path.endswith("com.atproto.repo.deleteRecord") and answer.status == 200
        return web.json_response({"commit": {"cid": "x", "rev": rev}}) if is_delete else None

    deployment.proxy.twists = claims
    async with deployment.db.transaction() as tx:
        await events.delete(tx, cleo, event.slug)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
    async with deployment.db.reader() as reader:
        (known,) = await reader.fetch("select state, rev from records")
    assert known["state"] == "tombstone"
    check_rev(known["rev"], deployment.clock.now())
