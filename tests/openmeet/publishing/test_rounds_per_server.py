"""Which server a publication waits for: that of the repository in which its record is or will be."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from at_network.circuits import OPENS_AFTER, CircuitState
from groundwork.clock import MINUTE
from groundwork.errors import RemoteFailed
from openmeet.domain.attendance import group_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import group_for
from openmeet.domain.events.model import Event
from openmeet.domain.groups.model import Group
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.publishing import schedule
from openmeet.outbox import leased_publications, publication_queries
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment, deliver_all_publications, details
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.publishing.accounts import connect_second_account, living_at
from tests.openmeet.publishing.answers import answer_in_app, answer_words_in
from tests.openmeet.publishing.published_groups import create_group, current_group
from tests.simulation.proxy import LossyProxy
from tests.timeouts import TIMEOUT_SECONDS

__all__ = ["deployment"]

_ENQUEUE_MANY = """
    insert into publications (kind, subject_id, user_id, state, revision, due_at, edited_at, changed_at)
    with recursive n(i) as (select 1 union all select i + 1 from n where i < :number)
    select 'event', 'x' || i, cast(:user_id as text), 'due', 1, 1, 1, 1 from n
"""

on_one_engine = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
async def second_server(deployment: Deployment) -> AsyncIterator[LossyProxy]:
    async with LossyProxy(deployment.pds_url) as proxy:
        yield proxy


async def group_with_account(deployment: Deployment, owner: Caller, name: str = "chess") -> Group:
    """A group with its own repository, which is on the server of the deployment's proxy."""
    group = await create_group(deployment, owner, name=name)
    async with deployment.db.transaction() as tx:
        await group_hosting.open_account(tx, owner, group.slug, f"{name}.town.test")
    await deployment.deliver_jobs()
    return await current_group(deployment, group)


async def event_in(deployment: Deployment, host: Caller, group: Group) -> Event:
    async with deployment.db.transaction() as tx:
        return await events.create(tx, host, details(), group=await group_for(tx, group.slug, host.user_id))


def open_circuit(deployment: Deployment, proxy: LossyProxy) -> None:
    for _ in range(OPENS_AFTER):
        deployment.network.circuits.note(proxy.url, RemoteFailed("down"))
    assert deployment.network.circuits.state_of(proxy.url) is CircuitState.OPEN


async def publication_of(deployment: Deployment, event: Event) -> Publication:
    async with deployment.db.reader() as reader:
        found = await publication_queries.find(reader, PublicationKind.EVENT, event.id)
    assert found is not None
    return found


async def test_first_record_waits_for_the_server_of_its_groups_repository(
    deployment: Deployment, second_server: LossyProxy
):
    """The server of its author is down, but the record is not written there."""
    (cleo,) = await living_at(deployment, second_server, "cleo")
    group = await group_with_account(deployment, cleo)
    open_circuit(deployment, second_server)
    event = await event_in(deployment, cleo, group)
    await deployment.deliver_publications()
    publication = await publication_of(deployment, event)
    account = group.network.account_id
    assert account is not None
    assert (publication.state, publication.did) == (
        PublicationState.PUBLISHED,
        (await deployment.identity(account)).did,
    )


async def test_first_record_stays_due_while_the_groups_server_is_down(
    deployment: Deployment, second_server: LossyProxy
):
    (cleo,) = await living_at(deployment, second_server, "cleo")
    group = await group_with_account(deployment, cleo)
    open_circuit(deployment, deployment.proxy)
    event = await event_in(deployment, cleo, group)
    await deployment.deliver_publications()
    publication = await publication_of(deployment, event)
    assert (publication.state, publication.attempts) == (PublicationState.DUE, 0)


async def test_no_attempt_is_counted_if_the_record_belongs_on_another_server(
    deployment: Deployment, second_server: LossyProxy
):
    """The group has a repository but keeps its events out of it. The server of the author is down."""
    (cleo,) = await living_at(deployment, second_server, "cleo")
    group = await group_with_account(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await tx.execute("update consents set publishing = 0 where user_id = :id", id=group.network.account_id)
    open_circuit(deployment, second_server)
    event = await event_in(deployment, cleo, group)
    await deployment.deliver_publications()
    publication = await publication_of(deployment, event)
    assert (publication.state, publication.attempts) == (PublicationState.RETRYING, 0)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).due_at > deployment.clock.now()
    deployment.clock.turn(MINUTE)
    for _ in range(2):
        await deployment.deliver_publications()
    assert (await publication_of(deployment, event)).state is PublicationState.PUBLISHED


async def answer_with_record_in_older_account(
    deployment: Deployment, older_server: LossyProxy, default_server: LossyProxy, down: LossyProxy
) -> tuple[PublicationState, int, list[str]]:
    """Cleo answered with another app, has connected another account since, and answers here while a server is down.
    Returns state and attempts of the publication, and the status in the record of her older account.
    """
    event = await deployment.event(await deployment.connected("hedi"))
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    (cleo,) = await living_at(deployment, older_server, "cleo")
    older = (await deployment.identity(cleo.user_id)).did
    await answer_in_app(deployment, "cleo", older, uri)
    default = await connect_second_account(deployment, cleo)
    async with deployment.db.transaction() as tx:
        at = {"url": default_server.url, "did": default}
        await tx.execute("update identities set pds_url = :url where did = :did", **at)
        await tx.execute("update repository_sessions set pds_url = :url where did = :did", **at)
    for did in (older, default):
        await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, did)
    deployment.clock.turn(MINUTE)
    open_circuit(deployment, down)
    answer = await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await deployment.deliver_publications()
    async with deployment.db.reader() as reader:
        publication = await publication_queries.find(reader, PublicationKind.RSVP, answer.id)
    assert publication is not None
    return publication.state, publication.attempts, [*(await answer_words_in(deployment, older)).values()]


async def test_first_answer_is_written_to_the_account_with_the_record_of_another_app(
    deployment: Deployment, second_server: LossyProxy
):
    """The server of the default account is down, but the record is not written there."""
    outcome = await answer_with_record_in_older_account(deployment, deployment.proxy, second_server, down=second_server)
    assert outcome == (PublicationState.PUBLISHED, 0, ["notgoing"])


async def test_first_answer_stays_due_while_the_server_with_the_record_is_down(
    deployment: Deployment, second_server: LossyProxy
):
    outcome = await answer_with_record_in_older_account(deployment, second_server, deployment.proxy, down=second_server)
    assert outcome == (PublicationState.DUE, 0, ["going"])


async def test_rows_without_a_repository_are_leased_by_one_round(deployment: Deployment):
    ana = await deployment.person(agrees=False)
    await deployment.event(ana)
    async with deployment.db.transaction() as tx:
        assert await leased_publications.lease_due(tx, limit=9, seconds=60, excluded_servers=["", "/"]) == []
        (leased,) = await leased_publications.lease_due(tx, limit=9, seconds=60)
        assert await leased_publications.servers_of(tx, [leased]) == {(leased.kind, leased.subject_id): ""}


async def test_a_row_behind_many_of_a_server_that_is_down_is_delivered_in_the_same_round(
    deployment: Deployment, second_server: LossyProxy
):
    """The many are set aside, and the row is leased without waiting for the next round. Few are not set aside."""
    (cleo,) = await living_at(deployment, second_server, "cleo")
    event = await deployment.event(await deployment.connected("gus"))
    async with deployment.db.transaction() as tx:
        await tx.execute(_ENQUEUE_MANY, number=700, user_id=cleo.user_id)
    open_circuit(deployment, second_server)
    assert await deployment.deliver_publications() == 1
    assert (await publication_of(deployment, event)).state is PublicationState.PUBLISHED
    assert await count_set_aside(deployment) == 500
    assert await deployment.deliver_publications() == 0
    assert await count_set_aside(deployment) == 500


async def test_nothing_is_set_aside_while_something_is_leased(deployment: Deployment, second_server: LossyProxy):
    (cleo,) = await living_at(deployment, second_server, "cleo")
    event = await deployment.event(await deployment.connected("gus"))
    async with deployment.db.transaction() as tx:
        await tx.execute(_ENQUEUE_MANY, number=700, user_id=cleo.user_id)
        await tx.execute("update publications set due_at = 0 where subject_id = :id", id=event.id)
    open_circuit(deployment, second_server)
    assert await deployment.deliver_publications() == 1
    assert await count_set_aside(deployment) == 0


async def count_set_aside(deployment: Deployment) -> int:
    async with deployment.db.reader() as reader:
        return len(await reader.fetch("select 1 as found from publications where awaited_server is not null"))


@on_one_engine
async def test_what_has_started_is_finished(deployment: Deployment):
    """Two people who have no repositories yet host events of groups that have. One of the servers responds late."""
    has_asked, may_answer = asyncio.Event(), asyncio.Event()
    ana, ben = await deployment.person("Ana", agrees=False), await deployment.person("Ben", agrees=False)
    chess, tennis = await group_with_account(deployment, ana), await group_with_account(deployment, ben, "tennis")
    async with deployment.db.transaction() as tx:
        for who in (ana, ben):
            await identities.grant_consent(tx, who.user_id, handle=f"{who.user_id[-6:]}.town.test")
        at = {"url": deployment.pds_url, "id": tennis.network.account_id}
        await tx.execute("update identities set pds_url = :url where user_id = :id", **at)
        await tx.execute(
            "update repository_sessions set pds_url = :url where did in (select did from identities where user_id = :id)",
            **at,
        )

    async def waits(_request: web.Request) -> None:
        has_asked.set()
        await may_answer.wait()

    deployment.proxy.meanwhile = waits
    slow = await event_in(deployment, ana, chess)
    stop, wake = asyncio.Event(), asyncio.Event()
    delivering = asyncio.create_task(schedule.run(deployment.publisher, stop, wake=wake, idle_seconds=0.01))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await has_asked.wait()
            fast = await event_in(deployment, ben, tennis)
            wake.set()
            while (await publication_of(deployment, fast)).state is not PublicationState.PUBLISHED:  # noqa: ASYNC110 - a database rings no bell
                await asyncio.sleep(0.01)
            stop.set()
            for _ in range(50):
                await publication_of(deployment, slow)  # time for a program that does not wait to end
        assert not delivering.done()
    finally:
        stop.set()
        may_answer.set()
        await delivering
    assert (await publication_of(deployment, slow)).state is PublicationState.PUBLISHED


@on_one_engine
async def test_what_has_started_has_ended_when_it_is_cancelled(deployment: Deployment):
    """What calls it can close the database then."""
    has_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def waits(_request: web.Request) -> None:
        has_asked.set()
        await may_answer.wait()

    ana = await deployment.person()
    event = await deployment.event(ana)
    await deliver_all_publications(deployment)
    deployment.proxy.meanwhile = waits
    await deployment.revise(ana, event.slug, title="Coffee")
    delivering = asyncio.create_task(schedule.run(deployment.publisher, asyncio.Event(), wake=asyncio.Event()))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await has_asked.wait()
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivering
        assert [one for one in asyncio.all_tasks() if "_deliver_round" in repr(one.get_coro())] == []
    finally:
        may_answer.set()
