"""Updates that arrive when the same words have been said again: what they are for is there, and they are not the last word."""

import pytest

from groundwork.clock import DAY
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import RSVP
from openmeet.outbox.in_flight import forget_old
from tests.openmeet.publication.test_late import her_app, pay_all, said, send_into_the_void, write_something
from tests.openmeet.publication.test_late_creates import cleo, on_one_engine, town
from tests.openmeet.publication.test_recalls import records, settle
from tests.openmeet.town import Town

__all__ = ["cleo", "town"]


async def in_doubt(town: Town) -> int:
    async with town.db.reader() as reader:
        return len(await reader.fetch("select uri from updates_in_doubt"))


@pytest.mark.parametrize("is_sent_again", [True, False], ids=["sent again", "on its way"])
async def test_what_was_said_in_between_is_not_said_by_arriving_late(town: Town, cleo: Caller, is_sent_again: bool):
    """Going, interested, going: the update to the second is for the bytes of the first, and the third has the same."""
    event = await town.event(cleo)
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    await settle(town, cleo)
    (first,) = await records(town, RSVP)
    await write_something(town, cleo)
    await town.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await send_into_the_void(town)
    if is_sent_again:
        await pay_all(town)
        assert await said(town) == (["interested"], ["interested"])
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    await pay_all(town)
    (third,) = await records(town, RSVP)
    assert third["cid"] == first["cid"]
    assert await town.proxy.deliver() == [200]
    assert await said(town) == (["interested"], ["attending"])
    await settle(town, cleo)
    assert await said(town) == (["going"], ["attending"])
    town.clock.turn(DAY)
    async with town.db.transaction() as tx:
        await forget_old(tx)
    assert await in_doubt(town) == 0, "nothing of it can arrive any more"


@on_one_engine
async def test_her_app_may_say_what_was_said_here_in_between(town: Town, cleo: Caller):
    """Every update was answered, so none can arrive any more: the same bytes are her app's word."""
    event = await town.event(cleo)
    for reply in (RsvpReply.GOING, RsvpReply.INTERESTED, RsvpReply.GOING):
        await town.answer(cleo, event.slug, reply)
        await settle(town, cleo)
    assert await in_doubt(town) == 0
    (ours,) = await records(town, RSVP)
    await her_app(town, ours, "interested")
    await settle(town, cleo)
    assert await said(town) == (["interested"], ["interested"])
