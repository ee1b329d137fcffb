"""Publishing that is switched off: nothing new is written, what must vanish vanishes, and nothing is lost."""

import pytest

from groundwork.errors import NotFound
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.publication import is_held_at_first
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.ingestion.flag_effects import switch
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.publication.test_series_records import make
from tests.openmeet.town import Town, details


async def turn(town: Town, flag: Flag, *, is_on: bool) -> None:
    async with town.db.transaction() as tx:
        assert await switch(tx, flag, is_on=is_on, changed_by="a test")
    town.clock.turn(MAX_AGE)


async def test_events_wait_while_they_are_switched_off_and_go_out_afterwards(town: Town):
    ana = await town.person()
    await turn(town, Flag.EVENTS_OUT, is_on=False)
    event = await town.event(ana)
    await town.pay()
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert standing.uri is None
    assert standing.words(town.clock.now(), is_allowed=True) == "waiting: publishing is switched off on this site"
    await turn(town, Flag.EVENTS_OUT, is_on=True)
    await town.pay()
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert standing.state is PublicationState.PUBLISHED
    assert (await town.record(standing.uri))["name"] == "Tea in the park"


async def test_what_waited_goes_out_although_its_payer_has_just_asked(town: Town):
    """A publisher that looked a moment before the switch does not put it off for ten minutes."""
    ana = await town.person()
    await turn(town, Flag.EVENTS_OUT, is_on=False)
    event = await town.event(ana)
    await town.pay()
    async with town.db.transaction() as tx:
        assert await switch(tx, Flag.EVENTS_OUT, is_on=True, changed_by="a test")
    await town.pay()
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_series_are_not_left_by_a_payer_that_has_just_asked(town: Town):
    """Nobody would come back to them: records that most sites do not have are looked at when they are switched on, and not again."""
    _, series = await make(town)
    await turn(town, Flag.SERIES_LEXICON, is_on=True)
    await turn(town, Flag.SERIES_LEXICON, is_on=False)
    await town.pay()
    async with town.db.transaction() as tx:
        assert await switch(tx, Flag.SERIES_LEXICON, is_on=True, changed_by="a test")
    await town.pay()
    assert (await town.standing(PublicationKind.SERIES, series.id)).state is PublicationState.PUBLISHED


async def test_an_edit_waits_and_the_record_stays_as_it_was(town: Town):
    ana = await town.person()
    event = await town.event(ana)
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    await turn(town, Flag.EVENTS_OUT, is_on=False)
    await town.revise(ana, event.slug, title="Coffee")
    await town.pay()
    assert (await town.record(uri))["name"] == "Tea in the park"
    await turn(town, Flag.EVENTS_OUT, is_on=True)
    await town.pay()
    assert (await town.record(uri))["name"] == "Coffee"


async def test_what_became_private_vanishes_though_publishing_is_off(town: Town):
    """Invariant 3 does not wait for a switch."""
    ana = await town.person()
    event = await town.event(ana)
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    await turn(town, Flag.EVENTS_OUT, is_on=False)
    await town.revise(ana, event.slug, visibility="private")
    await town.pay()
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
    with pytest.raises(NotFound):
        await town.record(uri)


async def test_answers_wait_while_events_go_out(town: Town):
    """Each direction and kind has a switch of its own."""
    ana, ben = await town.person("Ana"), await town.person("Ben")
    await turn(town, Flag.RSVPS_OUT, is_on=False)
    event = await town.event(ana)
    answer = await town.answer(ben, event.slug, RsvpReply.GOING)
    await town.pay()
    await town.pay()
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    assert (await town.standing(PublicationKind.RSVP, answer.id)).uri is None
    await turn(town, Flag.RSVPS_OUT, is_on=True)
    await town.pay()
    assert (await town.standing(PublicationKind.RSVP, answer.id)).state is PublicationState.PUBLISHED


async def test_nobody_waits_for_a_record_that_is_not_written(town: Town):
    """Whose own server comes first is shown at once while nothing is sent there."""
    cleo = await town.connected()
    async with town.db.reader() as reader:
        assert await is_held_at_first(reader, cleo.user_id, details())
    await turn(town, Flag.EVENTS_OUT, is_on=False)
    async with town.db.transaction() as tx:
        assert not await is_held_at_first(tx, cleo.user_id, details())
        event = await events.create(tx, cleo, details())
    assert not event.is_held
