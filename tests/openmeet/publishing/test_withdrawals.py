"""Consent withdrawn and given again, records deleted on this site and in other apps, in orders that a randomised
network test found.
"""

from typing import Any

import pytest
from aiohttp import web

from groundwork.clock import HOUR, MINUTE
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceId, AttendanceStatus, RsvpReply
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities.publishing_preferences import PublishingPreferences
from openmeet.domain.users.model import Caller
from openmeet.network.publishing.delivery import LEASE_SECONDS, deliver_one
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.outbox import leased_publications
from openmeet.outbox.publication_withdrawals import withdraw
from openmeet.outbox.publications import PublicationKind, PublicationState, make_due, retry_now
from tests.openmeet.deployment import Deployment, details
from tests.openmeet.publishing.consent import renew_cleos_consent, withdraw_consent
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours
from tests.openmeet.publishing.other_app import cleos_records, delete_cleos_record, edit_cleos_record


@pytest.fixture
async def cleo(deployment: Deployment) -> Caller:
    return await deployment.connected()


async def test_an_edit_being_ingested_does_not_stop_a_retraction(deployment: Deployment, cleo: Caller):
    """Consent ends, then another app's edit of the record arrives. The record is still deleted (invariant 11)."""
    await deployment.event(cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    await edit_cleos_record(deployment, record, theme="blue")
    await withdraw_consent(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []


async def test_publishing_again_just_before_the_retraction_keeps_the_record(deployment: Deployment, cleo: Caller):
    """A publisher has leased the withdrawn record when its owner changes their mind."""
    event = await deployment.event(cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await withdraw(tx, kind=PublicationKind.EVENT, subject_id=event.id)
        (leased,) = await leased_publications.lease_due(tx, limit=1, seconds=LEASE_SECONDS)
    async with deployment.db.transaction() as tx:
        assert await retry_now(tx, kind=PublicationKind.EVENT, subject_id=event.id)
    await deliver_one(deployment.publisher, leased)
    await publish_and_listen_for_hours(deployment, cleo)
    assert len(await cleos_records(deployment, EVENT)) == 1


async def test_a_record_withdrawn_before_its_update_is_sent_is_retracted_at_once(deployment: Deployment, cleo: Caller):
    """The publisher does not send the update, and nobody waits until its lease ends."""
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
    event = await deployment.event(cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    await deployment.revise(cleo, event.slug, title="Coffee")

    async def withdraws(request: web.Request) -> None:
        if request.path.endswith("getRecord"):
            async with deployment.db.transaction() as tx:
                await withdraw(tx, kind=PublicationKind.EVENT, subject_id=event.id)

    deployment.proxy.before = withdraws
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).is_withdrawn
    (record,) = await cleos_records(deployment, EVENT)
    assert record["value"]["name"] == event.title, "the update was not sent"
    await deployment.deliver_publications()
    assert await cleos_records(deployment, EVENT) == []


async def test_new_consent_publishes_what_was_retracted(deployment: Deployment, cleo: Caller):
    event = await deployment.event(cleo)
    await deployment.answer(cleo, event.slug)
    await publish_and_listen_for_hours(deployment, cleo)
    await withdraw_consent(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await cleos_records(deployment, EVENT), await cleos_records(deployment, RSVP)) == ([], [])
    await renew_cleos_consent(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    (written,) = await cleos_records(deployment, EVENT)
    (answer,) = await cleos_records(deployment, RSVP)
    assert answer["value"]["subject"]["uri"] == written["uri"], "about the record that the event has now"


async def test_deleting_here_deletes_another_apps_record(deployment: Deployment, cleo: Caller):
    """An event from Cleo's own repository that was never edited on this site: deleting it on this site deletes the
    record.
    """
    app = await deployment.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    value = {"$type": EVENT, "name": "From elsewhere", "createdAt": "2026-01-01T00:00:00.000Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": value})
    await publish_and_listen_for_hours(deployment, cleo)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select slug from events")
    assert row is not None
    async with deployment.db.transaction() as tx:
        await event_hosting.delete(tx, cleo, row["slug"])
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []


async def test_an_answer_is_published_when_its_event_becomes_public(deployment: Deployment, cleo: Caller):
    """The answer was given while the event was unlisted. It is published together with the event."""
    event = await deployment.event(cleo, visibility="unlisted")
    await deployment.answer(cleo, event.slug)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, RSVP) == []
    async with deployment.db.transaction() as tx:
        await event_hosting.revise(tx, cleo, event.slug, details(visibility="public"))
    await publish_and_listen_for_hours(deployment, cleo)
    assert len(await cleos_records(deployment, RSVP)) == 1


async def test_messages_that_arrive_after_a_retraction_create_nothing(deployment: Deployment, cleo: Caller):
    """The record was written, edited in another app and retracted before the stream brought any of these commits. There
    is one event, and Cleo's answer is unchanged.
    """
    event = await deployment.event(cleo)
    await deployment.deliver_publications()
    await deployment.answer(cleo, event.slug)
    await deployment.deliver_publications()
    (record,) = await cleos_records(deployment, EVENT)
    await edit_cleos_record(deployment, record, theme="blue")
    await withdraw_consent(deployment, cleo)
    await deployment.deliver_publications()
    deployment.clock.turn(HOUR)
    await deployment.deliver_publications()
    await publish_and_listen_for_hours(deployment, cleo)
    async with deployment.db.reader() as reader:
        found = [tuple(row) for row in await reader.fetch("select id, removed_at from events")]
        answers = [row["status"] for row in await reader.fetch("select status from attendances")]
    assert found == [(event.id, None)]
    assert answers == ["attending"]


async def test_new_consent_while_the_response_to_the_delete_is_lost(deployment: Deployment, cleo: Caller):
    """This site's delete, when it comes back, does not count as Cleo's: the answer stays and is published again."""
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
    event = await deployment.event(cleo)
    await deployment.answer(cleo, event.slug)
    await publish_and_listen_for_hours(deployment, cleo)

    def deletes(request: web.Request) -> bool:
        return request.path.endswith(("deleteRecord", "applyWrites"))

    deployment.proxy.loses = deletes
    await withdraw_consent(deployment, cleo)
    await deployment.deliver_publications()
    assert deployment.proxy.lost > 0
    deployment.proxy.loses = lambda _request: False
    await renew_cleos_consent(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select id, status from attendances")
    assert [row["status"] for row in rows] == ["attending"]
    assert (await deployment.status_of(PublicationKind.RSVP, rows[0]["id"])).state is PublicationState.PUBLISHED
    assert len(await cleos_records(deployment, RSVP)) == 1


@pytest.mark.parametrize(("deleted_first", "expected"), [(True, "interested"), (False, "declined")])
async def test_the_later_of_a_delete_and_an_answer_counts(
    deployment: Deployment, cleo: Caller, *, deleted_first: bool, expected: str
):
    """The record is deleted in another app, and an answer is given on this site before this is known."""
    event = await deployment.event(cleo)
    await deployment.answer(cleo, event.slug)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    if deleted_first:
        await delete_cleos_record(deployment, record)
        deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    if not deleted_first:
        deployment.clock.turn(MINUTE)
        await delete_cleos_record(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select status from attendances")
    assert [row["status"] for row in rows] == [expected]
    assert len(await cleos_records(deployment, RSVP)) == (1 if deleted_first else 0)


async def test_another_apps_answer_counts_although_its_record_is_retracted(deployment: Deployment, cleo: Caller):
    """Cleo withdraws consent to publishing, and answers differently in another app before her record is deleted. The
    site has not read that answer yet.
    """
    ana = await deployment.person()
    event = await deployment.event(ana)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await publish_and_listen_for_hours(deployment, ana)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    await withdraw_consent(deployment, cleo)
    deployment.clock.turn(MINUTE)
    await edit_cleos_record(deployment, record, status=f"{RSVP}#going")
    await deployment.deliver_publications()
    await deployment.ingest()
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, RSVP) == []
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select status from attendances")
    assert [row["status"] for row in rows] == ["attending"]


async def test_another_apps_answer_counts_even_if_it_is_ingested_late(deployment: Deployment, cleo: Caller):
    """The processor is down for half an hour while the publisher retries. The record waits, and Cleo's answer is not
    lost.
    """
    ana = await deployment.person()
    event = await deployment.event(ana)
    await deployment.answer(cleo, event.slug)
    await publish_and_listen_for_hours(deployment, ana)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    await edit_cleos_record(deployment, record, status=f"{RSVP}#notgoing")
    await withdraw_consent(deployment, cleo)
    for _ in range(30):
        await deployment.deliver_publications()
        deployment.clock.turn(MINUTE)
    assert len(await cleos_records(deployment, RSVP)) == 1
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, RSVP) == []
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select status from attendances")
    assert [row["status"] for row in rows] == ["declined"]


@pytest.mark.parametrize("is_heard_first", [True, False])
async def test_another_apps_answer_counts_although_the_event_is_retracted(
    deployment: Deployment, cleo: Caller, *, is_heard_first: bool
):
    """The host withdraws consent, so the event's record and the answers to it are deleted. The last answer is kept."""
    ana = await deployment.connected("ana")
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    await publish_and_listen_for_hours(deployment, ana)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await deployment.deliver_publications()
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    await edit_cleos_record(deployment, record, status=f"{RSVP}#going")
    await withdraw_consent(deployment, ana)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
    if is_heard_first:
        await deployment.listen(cleo.user_id)
    await deployment.deliver_publications()
    await deployment.ingest()
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, RSVP) == []
    async with deployment.db.reader() as reader:
        assert [row["status"] for row in await reader.fetch("select status from attendances")] == ["attending"]
    await renew_cleos_consent(deployment, ana)
    await publish_and_listen_for_hours(deployment, ana)
    await publish_and_listen_for_hours(deployment, cleo)
    (again,) = await cleos_records(deployment, RSVP)
    assert again["value"]["status"] == f"{RSVP}#going"


async def test_our_own_write_does_not_decide_that_a_record_stays(deployment: Deployment, cleo: Caller):
    """The conditions for publishing the record have changed, and the record has not been checked yet. Our own
    write that comes back, or an edit in another app, causes the check.
    """
    ana = await deployment.person()
    event = await deployment.event(ana)
    answer = await deployment.answer(cleo, event.slug)
    await publish_and_listen_for_hours(deployment, ana)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    deployment.clock.turn(MINUTE)
    await edit_cleos_record(deployment, record, note="mine")
    async with deployment.db.transaction() as tx:
        await publishing_preferences.change(tx, cleo.user_id, PublishingPreferences(writes_answers=False))
        await make_due(tx, kind=PublicationKind.RSVP, subject_ids=[answer.id])
    await deployment.listen(cleo.user_id)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).state is PublicationState.DUE
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, RSVP) == []


async def test_a_retraction_without_a_response_is_not_taken_for_a_withdrawal(deployment: Deployment, cleo: Caller):
    """The record is missing because this site deleted it, so the answer stays. A long simulation found that it was
    withdrawn together with the record.
    """
    host = await deployment.person("Hal")
    event = await deployment.event(host)
    await deployment.deliver_publications()
    mine = await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
    deployment.proxy.loses = lambda request: request.path.endswith("deleteRecord")
    await withdraw_consent(deployment, cleo)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.RSVP, mine.id)).state is PublicationState.RETRACTING
    deployment.proxy.loses = lambda _request: False
    account = (await deployment.identity(cleo.user_id)).did
    async with deployment.pds.registry.db.transaction() as tx:
        await tx.execute("delete from sessions where did = :did", did=account)
    deployment.clock.turn(3 * HOUR)  # so that the access token expires; the session cannot be renewed
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.RSVP, mine.id)).state is PublicationState.BLOCKED
    await deployment.listen(cleo.user_id)
    async with deployment.db.reader() as reader:
        held = await attendance_queries.by_id(reader, mine.id)
    assert held is not None
    assert held.status is AttendanceStatus.INTERESTED


async def publish_then_lose_a_delete(deployment: Deployment, cleo: Caller) -> tuple[AttendanceId, dict[str, Any]]:
    """Cleo's RSVP is published, then retracted because she withdraws consent, and the response to the delete is lost.
    Return the RSVP's id and its record.
    """
    event = await deployment.event(await deployment.person("Hal"))
    await deployment.deliver_publications()
    mine = await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
    deployment.proxy.loses = lambda request: request.path.endswith("deleteRecord")
    await withdraw_consent(deployment, cleo)
    await deployment.deliver_publications()
    deployment.proxy.loses = lambda _request: False
    return mine.id, record


async def test_a_rewritten_record_is_not_taken_for_the_deleted_one(deployment: Deployment, cleo: Caller):
    """The new record has the same bytes, and so the same CID, as the record whose delete had no response. It stays
    until another app deletes it.
    """
    mine, _ = await publish_then_lose_a_delete(deployment, cleo)
    deployment.clock.turn(HOUR)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, RSVP) == []
    await renew_cleos_consent(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    assert (await deployment.status_of(PublicationKind.RSVP, mine)).state is PublicationState.PUBLISHED
    await delete_cleos_record(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, RSVP) == []
    async with deployment.db.reader() as reader:
        held = await attendance_queries.by_id(reader, mine)
    assert held is not None
    assert held.status is AttendanceStatus.DECLINED


async def test_a_record_that_came_back_changed_is_decided_again(deployment: Deployment, cleo: Caller):
    """The response to the delete was lost, another app wrote the record again, and Cleo publishes it again on this
    site. The other app's version counts, and then no side writes any more.
    """
    mine, record = await publish_then_lose_a_delete(deployment, cleo)
    await edit_cleos_record(deployment, record, status=f"{RSVP}#going")
    await renew_cleos_consent(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    assert record["value"]["status"] == f"{RSVP}#going"
    after = await deployment.status_of(PublicationKind.RSVP, mine)
    assert (after.state, after.uri) == (PublicationState.PUBLISHED, record["uri"])
