"""Updates that arrive after the same answer was given again: the CID that they name exists, but they are not the latest
answer.
"""

import pytest

from groundwork.clock import DAY
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import RSVP
from openmeet.outbox.in_flight import forget_old
from tests.openmeet.deployment import Deployment
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.publishing.answers import answer_words_and_statuses, change_answer_in_app
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours, publish_for_minutes
from tests.openmeet.publishing.late_requests import cleo, on_one_engine, refresh_cleos_session, send_into_the_void
from tests.openmeet.publishing.other_app import cleos_records

__all__ = ["cleo", "deployment"]


async def in_flight(deployment: Deployment) -> int:
    async with deployment.db.reader() as reader:
        return len(await reader.fetch("select uri from in_flight_updates"))


@pytest.mark.parametrize("is_sent_again", [True, False], ids=["sent again", "on its way"])
async def test_a_late_update_to_an_earlier_answer_does_not_count(
    deployment: Deployment, cleo: Caller, is_sent_again: bool
):
    """Going, interested, going: the update to "interested" names the bytes of the first answer, and the third has the
    same bytes.
    """
    event = await deployment.event(cleo)
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await publish_and_listen_for_hours(deployment, cleo)
    (first,) = await cleos_records(deployment, RSVP)
    await refresh_cleos_session(deployment, cleo)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await send_into_the_void(deployment)
    if is_sent_again:
        await publish_for_minutes(deployment)
        assert await answer_words_and_statuses(deployment) == (["interested"], ["interested"])
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await publish_for_minutes(deployment)
    (third,) = await cleos_records(deployment, RSVP)
    assert third["cid"] == first["cid"]
    assert await deployment.proxy.deliver() == [200]
    assert await answer_words_and_statuses(deployment) == (["interested"], ["attending"])
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == (["going"], ["attending"])
    deployment.clock.turn(DAY)
    async with deployment.db.transaction() as tx:
        await forget_old(tx)
    assert await in_flight(deployment) == 0, "no earlier request can still arrive"


@on_one_engine
async def test_another_app_may_repeat_an_earlier_answer(deployment: Deployment, cleo: Caller):
    """Every update had a response, so none can still arrive. Therefore the same bytes are the other app's answer."""
    event = await deployment.event(cleo)
    for reply in (RsvpReply.GOING, RsvpReply.INTERESTED, RsvpReply.GOING):
        await deployment.answer(cleo, event.slug, reply)
        await publish_and_listen_for_hours(deployment, cleo)
    assert await in_flight(deployment) == 0
    (ours,) = await cleos_records(deployment, RSVP)
    await change_answer_in_app(deployment, ours, "interested")
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == (["interested"], ["interested"])
