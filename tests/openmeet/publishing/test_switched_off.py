"""Publishing is switched off: nothing new is written, retractions still happen, and nothing is lost."""

import pytest

from groundwork.errors import NotFound
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.publication import is_held_at_first
from openmeet.feature_flags.flags import Flag
from openmeet.network.flag_changes import switch
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import RecordStatus
from tests.openmeet.deployment import Deployment, details, switch_flag
from tests.openmeet.publishing.weekly_series import publish_series


async def test_events_wait_while_they_are_switched_off_and_are_sent_afterwards(deployment: Deployment):
    ana = await deployment.person()
    await switch_flag(deployment, Flag.EVENTS_OUT, is_on=False)
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.uri is None
    assert publication.explanation_for_owner(deployment.clock.now(), is_allowed=True) == RecordStatus.SWITCHED_OFF()
    await switch_flag(deployment, Flag.EVENTS_OUT, is_on=True)
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state is PublicationState.PUBLISHED
    assert (await deployment.record(publication.uri))["name"] == "Tea in the park"


async def test_a_waiting_event_is_sent_although_its_handler_has_just_run(deployment: Deployment):
    """A publisher that ran just before the switch does not delay the events by ten minutes."""
    ana = await deployment.person()
    await switch_flag(deployment, Flag.EVENTS_OUT, is_on=False)
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        assert await switch(tx, Flag.EVENTS_OUT, is_on=True, changed_by="a test")
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_series_are_sent_although_their_handler_has_just_run(deployment: Deployment):
    """Series records are switched off by default and are checked only once when they are switched on, so a publisher
    that ran just before must not skip them.
    """
    _, series = await publish_series(deployment)
    await switch_flag(deployment, Flag.SERIES_LEXICON, is_on=True)
    await switch_flag(deployment, Flag.SERIES_LEXICON, is_on=False)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        assert await switch(tx, Flag.SERIES_LEXICON, is_on=True, changed_by="a test")
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.SERIES, series.id)).state is PublicationState.PUBLISHED


async def test_an_edit_waits_and_the_record_stays_as_it_was(deployment: Deployment):
    ana = await deployment.person()
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    await switch_flag(deployment, Flag.EVENTS_OUT, is_on=False)
    await deployment.revise(ana, event.slug, title="Coffee")
    await deployment.deliver_publications()
    assert (await deployment.record(uri))["name"] == "Tea in the park"
    await switch_flag(deployment, Flag.EVENTS_OUT, is_on=True)
    await deployment.deliver_publications()
    assert (await deployment.record(uri))["name"] == "Coffee"


async def test_a_private_event_is_retracted_although_publishing_is_off(deployment: Deployment):
    """Invariant 3 does not depend on a flag."""
    ana = await deployment.person()
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    await switch_flag(deployment, Flag.EVENTS_OUT, is_on=False)
    await deployment.revise(ana, event.slug, visibility="private")
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
    with pytest.raises(NotFound):
        await deployment.record(uri)


async def test_answers_wait_while_events_are_sent(deployment: Deployment):
    """Each direction and kind has its own switch."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    await switch_flag(deployment, Flag.RSVPS_OUT, is_on=False)
    event = await deployment.event(ana)
    answer = await deployment.answer(ben, event.slug, RsvpReply.GOING)
    await deployment.deliver_publications()
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri is None
    await switch_flag(deployment, Flag.RSVPS_OUT, is_on=True)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).state is PublicationState.PUBLISHED


async def test_nobody_waits_for_a_record_that_is_not_written(deployment: Deployment):
    """Answers of people whose own server is normally written first are shown at once while nothing is sent to that
    server.
    """
    cleo = await deployment.connected()
    async with deployment.db.reader() as reader:
        assert await is_held_at_first(reader, cleo.user_id, details())
    await switch_flag(deployment, Flag.EVENTS_OUT, is_on=False)
    async with deployment.db.transaction() as tx:
        assert not await is_held_at_first(tx, cleo.user_id, details())
        event = await events.create(tx, cleo, details())
    assert not event.is_held
