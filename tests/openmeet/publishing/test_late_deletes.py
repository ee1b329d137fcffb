"""Deletes that arrive late, when the record that they were meant for has been replaced."""

import pytest

from groundwork.clock import MINUTE
from openmeet.domain.users.model import Caller
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.test_late_creates import UNLISTED, cleo, deployment, names, on_one_engine
from tests.openmeet.publishing.test_late_echoes import deliver_all, is_delete, send_into_the_void
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
    await deliver_all(deployment)
    await deployment.revise(cleo, event.slug, title="Tea", visibility="public")
    await deliver_all(deployment)
    assert await names(deployment) == ["Tea"]
    await deployment.proxy.deliver()
    assert await names(deployment) == ["Tea"]
