"""People's choices about their records, against a real PDS: hosts decide about events, and everyone decides about their
own answers.
"""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from groundwork.errors import NotFound, PreconditionFailed, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import invitations, queries
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.events.model import DEFAULT_RECORD_SETTINGS, Detail
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities.publishing_preferences import (
    DEFAULT_PREFERENCES,
    DeclinedAs,
    PublishingPreferences,
    WaitingAs,
)
from openmeet.network.publishing import delivery_results
from openmeet.network.publishing.delivery import LEASE_SECONDS
from openmeet.network.records.collections import RSVP
from openmeet.network.records.metrics import SyncResult
from openmeet.outbox import leased_publications, publications
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import INSTANCE, Deployment, deliver_all_publications
from tests.openmeet.publishing.consent import change_preferences, choose_record_settings
from tests.openmeet.site_under_test import api_session, site_on


async def is_absent(deployment: Deployment, uri: str) -> bool:
    try:
        await deployment.record(uri)
    except NotFound:
        return True
    return False


async def answered(deployment: Deployment, reply: RsvpReply = RsvpReply.GOING, **typed: str):
    """Ana's event with Ben's answer, after all jobs have been delivered."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await deployment.event(ana, **typed)
    await deliver_all_publications(deployment)
    answer = await deployment.answer(ben, event.slug, reply)
    await deliver_all_publications(deployment)
    return ana, ben, event, answer


@pytest.mark.parametrize(
    ("reply", "word"),
    [(RsvpReply.GOING, "going"), (RsvpReply.INTERESTED, "interested"), (RsvpReply.DECLINED, "notgoing")],
)
async def test_each_answer_has_its_status_and_names_the_event_version(
    deployment: Deployment, reply: RsvpReply, word: str
):
    _, _, event, answer = await answered(deployment, reply)
    record = await deployment.record((await deployment.status_of(PublicationKind.RSVP, answer.id)).uri)
    about = await deployment.record((await deployment.status_of(PublicationKind.EVENT, event.id)).uri)
    assert record["status"] == f"{RSVP}#{word}"
    assert record["subject"] == {
        "uri": (await deployment.status_of(PublicationKind.EVENT, event.id)).uri,
        "cid": about["cid"],
    }


async def test_opting_out_of_declined_answers_deletes_the_record(deployment: Deployment):
    """A later "going" uses the same record key, so there is never a second record."""
    _, ben, event, answer = await answered(deployment)
    uri = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    await change_preferences(deployment, ben, declined_as=DeclinedAs.NOTHING)
    await deployment.answer(ben, event.slug, RsvpReply.DECLINED)
    await deliver_all_publications(deployment)
    assert await is_absent(deployment, uri)
    await deployment.answer(ben, event.slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri == uri
    assert (await deployment.record(uri))["status"] == f"{RSVP}#going"


async def test_a_changed_setting_changes_existing_records(deployment: Deployment):
    _, ben, _, answer = await answered(deployment, RsvpReply.DECLINED)
    uri = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    await change_preferences(deployment, ben, declined_as=DeclinedAs.NOTHING)
    await deliver_all_publications(deployment)
    assert await is_absent(deployment, uri)
    await change_preferences(deployment, ben, declined_as=DeclinedAs.NOT_GOING)
    await deliver_all_publications(deployment)
    assert (await deployment.record(uri))["status"] == f"{RSVP}#notgoing"


async def test_a_waitlist_place_is_published_only_on_request(deployment: Deployment):
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await deployment.event(ana, capacity="1")
    await deployment.answer(ana, event.slug)
    await deliver_all_publications(deployment)
    answer = await deployment.answer(ben, event.slug)
    await deliver_all_publications(deployment)
    assert answer.status.value == "waitlisted"
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri is None
    await change_preferences(deployment, ben, waiting_as=WaitingAs.INTERESTED)
    await deliver_all_publications(deployment)
    uri = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    assert (await deployment.record(uri))["status"] == f"{RSVP}#interested"
    # That record, when it comes back, is not a separate answer: Ben is still pending.
    await deployment.listen(ben.user_id)
    async with deployment.db.reader() as reader:
        assert (await queries.by_id(reader, answer.id)).status.value == "waitlisted"


async def test_people_who_opt_out_of_answers_have_none_published(deployment: Deployment):
    _, ben, _, answer = await answered(deployment)
    uri = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    await change_preferences(deployment, ben, writes_answers=False)
    await deliver_all_publications(deployment)
    assert await is_absent(deployment, uri)
    await change_preferences(deployment, ben, writes_answers=True)
    await deliver_all_publications(deployment)
    assert not await is_absent(deployment, uri)


async def test_people_who_opt_out_of_events_have_none_published(deployment: Deployment):
    ana, _, event, answer = await answered(deployment)
    uris = [
        (await deployment.status_of(PublicationKind.EVENT, event.id)).uri,
        (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri,
    ]
    await change_preferences(deployment, ana, writes_events=False)
    await deliver_all_publications(deployment)
    assert [await is_absent(deployment, uri) for uri in uris] == [True, True]


async def test_a_single_answer_can_be_kept_here(deployment: Deployment):
    """The record stays as it was, also if the person answers again without saying whether to publish that."""
    _, ben, event, answer = await answered(deployment)
    uri = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    async with deployment.db.transaction() as tx:
        await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED, ReplyDetails(skips_record=True))
    await deliver_all_publications(deployment)
    await deployment.answer(ben, event.slug, RsvpReply.INTERESTED)
    await deliver_all_publications(deployment)
    assert (await deployment.record(uri))["status"] == f"{RSVP}#going"
    async with deployment.db.transaction() as tx:
        await attendance.answer(tx, ben, event.slug, RsvpReply.INTERESTED, ReplyDetails(skips_record=False))
    await deliver_all_publications(deployment)
    assert (await deployment.record(uri))["status"] == f"{RSVP}#interested"


async def test_a_single_answer_can_be_kept_here_with_the_api(deployment: Deployment):
    """The same over HTTP: the answer counts on this site at once and is not in the repository. Without the field, as in a
    change of another field, it stays as it was.
    """
    _, _, event, answer = await answered(deployment)
    uri = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    site = site_on(deployment.db, deployment.clock)
    async with site.browser() as browser:
        ben = await api_session(browser, "ben@example.org", "Ben")
        path = f"/api/events/{event.slug}/answer"
        kept = await browser.put(path, json={"reply": "declined", "skipBlueskySync": True}, headers=ben)
        assert (kept.status_code, kept.json()["status"], kept.json()["id"]) == (200, "declined", answer.id), kept.text
        await deliver_all_publications(deployment)
        assert (await deployment.record(uri))["status"] == f"{RSVP}#going"
        await browser.put(path, json={"reply": "interested"}, headers=ben)
        await deliver_all_publications(deployment)
        assert (await deployment.record(uri))["status"] == f"{RSVP}#going"
        await browser.put(path, json={"reply": "interested", "skipBlueskySync": False}, headers=ben)
    await deliver_all_publications(deployment)
    assert (await deployment.record(uri))["status"] == f"{RSVP}#interested"


async def test_unpublishing_an_event_retracts_the_answers_to_it(deployment: Deployment):
    ana, _, event, answer = await answered(deployment)
    uris = [
        (await deployment.status_of(PublicationKind.EVENT, event.id)).uri,
        (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri,
    ]
    await choose_record_settings(deployment, ana, event.slug, replace(DEFAULT_RECORD_SETTINGS, is_wanted=False))
    await deliver_all_publications(deployment)
    assert [await is_absent(deployment, uri) for uri in uris] == [True, True]


async def test_a_host_can_keep_answers_off_the_network(deployment: Deployment):
    ana, _, event, answer = await answered(deployment)
    uri = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    await choose_record_settings(deployment, ana, event.slug, replace(DEFAULT_RECORD_SETTINGS, publishes_rsvps=False))
    await deliver_all_publications(deployment)
    assert await is_absent(deployment, uri)
    assert not await is_absent(deployment, (await deployment.status_of(PublicationKind.EVENT, event.id)).uri)


async def test_an_invitation_only_event_is_announced_minimally(deployment: Deployment):
    """The event is announced only if its host requests it, and the answers to it are never published (invariants 3 and
    11).
    """
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await deployment.event(ana, visibility="private", description="zugzwang", street="Hauptstraße 1")
    await deliver_all_publications(deployment)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.WITHHELD
    await choose_record_settings(deployment, ana, event.slug, replace(DEFAULT_RECORD_SETTINGS, is_announced=True))
    await deliver_all_publications(deployment)
    record = await deployment.record((await deployment.status_of(PublicationKind.EVENT, event.id)).uri)
    assert record["name"] == "Tea in the park"
    assert record["description"] == f"By invitation only. Who is invited sees more: {INSTANCE}/events/{event.slug}"
    assert "zugzwang" not in str(record)
    assert "Hauptstraße" not in str(record)
    async with deployment.db.transaction() as tx:
        await invitations.invite(tx, ana, event.slug, "ben@example.org")
    answer = await deployment.answer(ben, event.slug)
    await deliver_all_publications(deployment)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri is None


async def test_an_event_made_private_is_retracted_even_if_it_was_announced(deployment: Deployment):
    """The host consented to announcing the event as it was at that time."""
    ana = await deployment.person()
    event = await deployment.event(ana, visibility="private")
    await choose_record_settings(deployment, ana, event.slug, replace(DEFAULT_RECORD_SETTINGS, is_announced=True))
    await deployment.revise(ana, event.slug, visibility="public")
    await deliver_all_publications(deployment)
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    await deployment.revise(ana, event.slug, visibility="private")
    await deliver_all_publications(deployment)
    assert await is_absent(deployment, uri)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED


async def test_only_invitation_only_events_can_be_announced(deployment: Deployment):
    ana = await deployment.person()
    event = await deployment.event(ana)
    with pytest.raises(Refused):
        await choose_record_settings(deployment, ana, event.slug, replace(DEFAULT_RECORD_SETTINGS, is_announced=True))


async def test_a_public_event_can_be_reduced_and_restored(deployment: Deployment):
    ana, _, event, answer = await answered(deployment, description="With scones")
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    answer_uri = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    await choose_record_settings(deployment, ana, event.slug, replace(DEFAULT_RECORD_SETTINGS, detail=Detail.MINIMAL))
    await deliver_all_publications(deployment)
    assert (await deployment.record(uri))["description"].startswith("More about it")
    assert await is_absent(deployment, answer_uri)
    await choose_record_settings(deployment, ana, event.slug, DEFAULT_RECORD_SETTINGS)
    await deliver_all_publications(deployment)
    assert (await deployment.record(uri))["description"] == "With scones"
    assert not await is_absent(deployment, answer_uri)


async def test_every_write_of_an_answer_is_counted(deployment: Deployment):
    """A check that finds the record unchanged is not counted."""
    counted: list[tuple[str, str]] = []
    results: list[tuple[str, SyncResult]] = []
    deployment.publisher = replace(
        deployment.publisher,
        count_rsvp=lambda operation, status: counted.append((operation, status)),
        count_result=lambda kind, result: results.append((kind, result)),
    )
    _, ben, event, answer = await answered(deployment)
    async with deployment.db.transaction() as tx:
        await publications.make_due(tx, kind=PublicationKind.RSVP, subject_ids=[answer.id])
    await deliver_all_publications(deployment)
    await deployment.answer(ben, event.slug, RsvpReply.INTERESTED)
    await deliver_all_publications(deployment)
    await change_preferences(deployment, ben, declined_as=DeclinedAs.NOTHING)
    await deployment.answer(ben, event.slug, RsvpReply.DECLINED)
    await deliver_all_publications(deployment)
    assert counted == [("create", "going"), ("update", "interested"), ("delete", "")]
    assert results == [("event", SyncResult.SUCCESS), *[("rsvp", SyncResult.SUCCESS)] * len(counted)]


async def test_a_record_that_was_forgotten_without_a_deletion_does_not_count_as_deleted(deployment: Deployment):
    """It is still in a repository that we can no longer write to."""
    _, _, _, answer = await answered(deployment)
    counted: list[tuple[str, str]] = []
    publisher = replace(deployment.publisher, count_rsvp=lambda operation, status: counted.append((operation, status)))
    async with deployment.db.transaction() as tx:
        await publications.make_due(tx, kind=PublicationKind.RSVP, subject_ids=[answer.id])
        (leased,) = await leased_publications.lease_due(tx, limit=1, seconds=LEASE_SECONDS)
    with capture_logs() as lines:
        await delivery_results.forget_record(publisher, leased)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri is None
    assert counted == []
    forgotten = {"event": "record.forgotten", "uri": leased.uri, "log_level": "info"}
    assert [line for line in lines if line["event"] in {"record.forgotten", "record.retracted"}] == [forgotten]


async def test_of_two_concurrent_changes_of_settings_the_second_is_refused(deployment: Deployment):
    ana = await deployment.person()
    async with deployment.db.transaction() as tx:
        first = await publishing_preferences.change(
            tx, ana.user_id, PublishingPreferences(writes_events=False), expected_revision=0
        )
    assert first.revision == 1
    with pytest.raises(PreconditionFailed):
        async with deployment.db.transaction() as tx:
            await publishing_preferences.change(tx, ana.user_id, DEFAULT_PREFERENCES, expected_revision=0)
