"""Requests of Cleo's session that reach the PDS late, through the proxy."""

import pytest
from aiohttp import web

from groundwork.clock import MINUTE
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours
from tests.openmeet.publishing.other_app import cleos_records
from tests.simulation.proxy import never

UNLISTED = {"visibility": "unlisted"}
# For tests whose subject does not depend on the database engine.
on_one_engine = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def is_put(request: web.Request) -> bool:
    return request.path.endswith(("putRecord", "applyWrites"))


def is_delete(request: web.Request) -> bool:
    return request.path.endswith(("deleteRecord", "applyWrites"))


async def send_into_the_void(deployment: Deployment) -> None:
    """Send everything that is queued. The requests do not arrive in time, and the connection breaks."""
    before = len(deployment.proxy.on_their_way)
    deployment.proxy.delays = is_put
    await deployment.deliver_publications()
    deployment.proxy.delays = never
    assert len(deployment.proxy.on_their_way) > before
    deployment.clock.turn(MINUTE)


async def refresh_cleos_session(deployment: Deployment, cleo: Caller) -> None:
    """Refresh Cleo's session, so that a request that is sent now is still accepted when it arrives a few minutes later."""
    await deployment.event(cleo, title="Something else", visibility="public")
    await deployment.deliver_publications()


@pytest.fixture
async def cleo(deployment: Deployment) -> Caller:
    """A person whose PDS is reached through a proxy, with a long-lived session."""
    caller = await deployment.connected()
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
    await deployment.deliver_jobs()  # the first read of Cleo's repository, which would also find late records
    await publish_and_listen_for_hours(deployment, caller)
    await refresh_cleos_session(deployment, caller)
    return caller


async def cleos_event_names(deployment: Deployment) -> list[str]:
    """The names in the event records of Cleo's repository, without the additional event that keeps her session fresh."""
    found = [str(record["value"]["name"]) for record in await cleos_records(deployment, EVENT)]
    return [name for name in found if name != "Something else"]
