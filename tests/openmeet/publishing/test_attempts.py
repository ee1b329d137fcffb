"""No attempt is counted where no request was sent: the record does not wait longer after that than necessary, and it can
still be sent in a batch.
"""

import pytest

from at_network.circuits import OPENS_AFTER, CircuitState
from at_network.pacing import RateLimitState
from groundwork.clock import MINUTE
from groundwork.errors import RemoteFailed
from openmeet.domain.events import actions as events
from openmeet.domain.users.model import Caller
from openmeet.network.publishing.delivery import deliver_now
from openmeet.outbox import publication_queries
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.watched_requests import watch_requests
from tests.timeouts import TIMEOUT_SECONDS


async def publication_of(deployment: Deployment, event_id: str) -> Publication:
    async with deployment.db.reader() as reader:
        found = await publication_queries.find(reader, PublicationKind.EVENT, event_id)
    assert found is not None
    return found


async def spend_budget(deployment: Deployment, who: Caller) -> None:
    """The server has said that the account must not write for twenty minutes."""
    did = (await deployment.identity(who.user_id)).did
    pace = RateLimitState(limit=100, remaining=0, resets_at=deployment.clock.now() + 20 * MINUTE)
    deployment.network.paces.note(deployment.proxy.url, did, pace)


async def test_records_are_written_together_when_the_budget_starts_again(deployment: Deployment):
    cleo = await deployment.connected()
    watch = await watch_requests(deployment)
    made = [await deployment.event(cleo, title=f"Tea {number}") for number in range(3)]
    await spend_budget(deployment, cleo)
    await deployment.deliver_publications()
    assert watch.writes == []
    for one in made:
        publication = await publication_of(deployment, one.id)
        assert (publication.state, publication.attempts) == (PublicationState.RETRYING, 0)
        assert publication.reason == PublicationReason.WRITE_BUDGET_SPENT()
        due_at = (await deployment.status_of(PublicationKind.EVENT, one.id)).due_at
        assert due_at == deployment.clock.now() + 20 * MINUTE
    deployment.clock.turn(20 * MINUTE)
    await deployment.deliver_publications()
    assert watch.writes == ["applyWrites"]


@pytest.mark.parametrize("way", ["edited", "deleted"])
async def test_updates_and_deletes_wait_for_the_budget(deployment: Deployment, way: str):
    cleo = await deployment.connected()
    watch = await watch_requests(deployment)
    event = await deployment.event(cleo)
    await deployment.deliver_publications()
    watch.writes.clear()
    if way == "edited":
        await deployment.revise(cleo, event.slug, title="Coffee")
    else:
        async with deployment.db.transaction() as tx:
            await events.delete(tx, cleo, event.slug)
    await spend_budget(deployment, cleo)
    await deployment.deliver_publications()
    publication = await publication_of(deployment, event.id)
    waiting = PublicationState.RETRYING if way == "edited" else PublicationState.RETRACTING
    assert (watch.writes, publication.state, publication.attempts) == ([], waiting, 0)
    deployment.clock.turn(20 * MINUTE)
    await deployment.deliver_publications()
    assert watch.writes == ["putRecord" if way == "edited" else "deleteRecord"]


async def test_request_that_finds_the_server_being_tested_counts_no_attempt(deployment: Deployment):
    """The circuit is half open, and another call is testing the server."""
    cleo = await deployment.connected()
    await watch_requests(deployment)
    circuits = deployment.network.circuits
    for _ in range(OPENS_AFTER):
        circuits.note(deployment.proxy.url, RemoteFailed("down"))
    deployment.clock.turn(MINUTE)
    assert circuits.state_of(deployment.proxy.url) is CircuitState.HALF_OPEN
    circuits.check(deployment.proxy.url)
    event = await deployment.event(cleo)
    assert not await deliver_now(
        deployment.publisher, PublicationKind.EVENT, event.id, deadline_seconds=TIMEOUT_SECONDS
    )
    publication = await publication_of(deployment, event.id)
    assert (publication.state, publication.attempts) == (PublicationState.RETRYING, 0)
    circuits.note(deployment.proxy.url, None)
    deployment.clock.turn(MINUTE)
    await deployment.deliver_publications()
    assert (await publication_of(deployment, event.id)).state is PublicationState.PUBLISHED
