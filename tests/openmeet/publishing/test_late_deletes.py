"""Deletes that arrive late, when the record that they were meant for has been replaced."""

import pytest

from groundwork.clock import MINUTE
from openmeet.domain.users.model import Caller
from tests.openmeet.deployment import Deployment
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.publishing.deliveries import publish_for_minutes
from tests.openmeet.publishing.late_requests import (
    UNLISTED,
    cleo,
    cleos_event_names,
    is_delete,
    on_one_engine,
    send_into_the_void,
)
from tests.simulation.proxy import never

__all__ = ["cleo", "deployment"]


@on_one_engine
@pytest.mark.usefixtures("engine")
async def test_an_absent_record_is_not_deleted_in_advance(deployment: Deployment, cleo: Caller):
    """The create was lost, so there was nothing to delete. A delete without a version would remove the event that is
    public again under the same record key.
    """
    event = await deployment.event(cleo, title="Tea")
    await send_into_the_void(deployment)
    deployment.proxy.on_their_way.clear()
    await deployment.revise(cleo, event.slug, title="Tea", **UNLISTED)
    deployment.proxy.delays = is_delete
    await deployment.deliver_publications()
    deployment.proxy.delays = never
    deployment.clock.turn(2 * MINUTE)
    await publish_for_minutes(deployment)
    await deployment.revise(cleo, event.slug, title="Tea", visibility="public")
    await publish_for_minutes(deployment)
    assert await cleos_event_names(deployment) == ["Tea"]
    await deployment.proxy.deliver()
    assert await cleos_event_names(deployment) == ["Tea"]
