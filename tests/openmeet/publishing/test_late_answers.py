"""Cleo answers in another app and then on this site. The other app's answer is ingested after this site's was
published. The latest answer counts.
"""

import pytest

from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import parse_did
from groundwork.clock import MINUTE
from groundwork.queue.contract import Message
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.records.collections import RSVP
from openmeet.network.records.message import Hint, HintKind, encode
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment, details
from tests.openmeet.publishing.accounts import connect_second_account
from tests.openmeet.publishing.answers import answer_in_app, answer_words_in, only_answer_status, publish_going_answer
from tests.openmeet.publishing.consent import renew_cleos_consent, withdraw_consent
from tests.openmeet.publishing.deliveries import WAYS_TO_INGEST, ingest_by, publish_and_backfill_for_minutes


@pytest.mark.parametrize("how", WAYS_TO_INGEST)
async def test_a_later_answer_given_here_stands(deployment: Deployment, how: str):
    """This site's record was changed, not created again, so the other app's record is newer by ``createdAt``. The other
    app's record is changed to the answer given on this site, and this site's record is deleted.
    """
    cleo, did, event, uri = await publish_going_answer(deployment)
    deployment.clock.turn(MINUTE)
    theirs = await answer_in_app(deployment, "cleo", did, uri, "interested", format_datetime(deployment.clock.now()))
    deployment.clock.turn(MINUTE)
    answer = await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).state is PublicationState.PUBLISHED
    deployment.clock.turn(MINUTE)
    await ingest_by(deployment, cleo, did, how)
    assert await only_answer_status(deployment) == "declined"
    await publish_and_backfill_for_minutes(deployment, did)
    assert (await only_answer_status(deployment), await answer_words_in(deployment, did)) == (
        "declined",
        {theirs: "notgoing"},
    )


@pytest.mark.parametrize("how", WAYS_TO_INGEST)
async def test_a_later_answer_given_elsewhere_counts(deployment: Deployment, how: str):
    """The answer in the other app is the later one, so it counts."""
    cleo, did, event, uri = await publish_going_answer(deployment)
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await deployment.deliver_publications()
    deployment.clock.turn(MINUTE)
    theirs = await answer_in_app(deployment, "cleo", did, uri, "interested", format_datetime(deployment.clock.now()))
    deployment.clock.turn(MINUTE)
    await ingest_by(deployment, cleo, did, how)
    await publish_and_backfill_for_minutes(deployment, did)
    assert (await only_answer_status(deployment), (await answer_words_in(deployment, did))[theirs]) == (
        "interested",
        "interested",
    )


async def test_a_later_change_made_elsewhere_counts(deployment: Deployment):
    """The time of the commit decides, not ``createdAt``."""
    cleo, did, event, uri = await publish_going_answer(deployment)
    deployment.clock.turn(MINUTE)
    written_at = format_datetime(deployment.clock.now())
    theirs = await answer_in_app(deployment, "cleo", did, uri, "interested", written_at)
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await deployment.deliver_publications()
    deployment.clock.turn(MINUTE)
    app = await deployment.stranger("cleo")
    said = {name: value for name, value in (await deployment.record(theirs)).items() if name != "cid"}
    again = {**said, "status": f"{RSVP}#going"}
    await app.procedure(
        "com.atproto.repo.putRecord",
        {"repo": did, "collection": RSVP, "rkey": theirs.rpartition("/")[2], "record": again},
    )
    await deployment.listen(cleo.user_id)
    await publish_and_backfill_for_minutes(deployment, did)
    assert (await only_answer_status(deployment), (await answer_words_in(deployment, did))[theirs]) == (
        "attending",
        "going",
    )


async def test_a_commit_corrects_a_wrong_decision_of_a_read(deployment: Deployment):
    """A whole read finds an answer whose ``createdAt`` is later than the answer given on this site. Then the stream
    brings its commit, which is earlier, and the answer given on this site counts again.
    """
    cleo, did, event, uri = await publish_going_answer(deployment)
    deployment.clock.turn(MINUTE)
    theirs = await answer_in_app(
        deployment, "cleo", did, uri, "interested", format_datetime(deployment.clock.now() + 90 * 1_000_000)
    )
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await deployment.deliver_publications()
    deployment.clock.turn(MINUTE)
    app = await deployment.stranger("cleo")
    note = {"$type": "com.example.note", "text": "later"}
    await app.procedure(
        "com.atproto.repo.createRecord", {"repo": did, "collection": "com.example.note", "record": note}
    )
    await ingest_by(deployment, cleo, did, "by a reading")
    assert await only_answer_status(deployment) == "interested"
    await ingest_by(deployment, cleo, did, "by the stream")
    assert await only_answer_status(deployment) == "declined"
    await publish_and_backfill_for_minutes(deployment, did)
    assert (await only_answer_status(deployment), await answer_words_in(deployment, did)) == (
        "declined",
        {theirs: "notgoing"},
    )


@pytest.mark.parametrize("how", WAYS_TO_INGEST)
async def test_an_account_that_is_read_late_does_not_overrule_a_later_answer(deployment: Deployment, how: str):
    """Cleo's second account has an answer that she wrote before she gave a different one on this site."""
    cleo, did, event, uri = await publish_going_answer(deployment)
    work = await connect_second_account(deployment, cleo)
    deployment.clock.turn(MINUTE)
    theirs = await answer_in_app(deployment, "office", work, uri, "interested", format_datetime(deployment.clock.now()))
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await deployment.deliver_publications()
    deployment.clock.turn(MINUTE)
    if how == "by a reading":
        await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, work)
    else:
        await deployment.follow_until(work, lambda state: state.last_head is not None)
    assert await only_answer_status(deployment) == "declined"
    await publish_and_backfill_for_minutes(deployment, did)
    assert (await answer_words_in(deployment, did), await answer_words_in(deployment, work)) == (
        {},
        {theirs: "notgoing"},
    )


async def test_a_repeated_gap_decides_nothing_about_a_version_that_is_gone(deployment: Deployment):
    """The stream missed commits before Cleo answered here, and then a record of another app with the same answer was
    read. The record is written after the gap, so it counts; later it is deleted with the event's record. When the
    stream reports the old gap again, the answer given here is not restored: only the record, which is gone, told that
    the gap was too early to have brought it.
    """
    event = await deployment.event(hedi := await deployment.connected("hedi"), title="Chess")
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    cleo = await deployment.connected("cleo")
    did = parse_did((await deployment.identity(cleo.user_id)).did)
    await withdraw_consent(deployment, cleo)
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, did)
    app = await deployment.stranger("cleo")
    note = {"repo": did, "collection": "com.example.note", "record": {"$type": "com.example.note", "text": "missed"}}
    missed = (await app.procedure("com.atproto.repo.createRecord", note))["commit"]["rev"]
    gap = Hint(did, HintKind.REPOSITORY, "missed", 7, missed)
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await deployment.deliver_publications()
    deployment.clock.turn(MINUTE)
    await answer_in_app(deployment, "cleo", did, uri, "going", format_datetime(deployment.clock.now()))
    await hear(deployment, gap)
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, did)
    await renew_cleos_consent(deployment, cleo)
    await publish_and_backfill_for_minutes(deployment, did)
    async with deployment.db.transaction() as tx:
        await event_hosting.revise(tx, hedi, event.slug, details(title="Chess", visibility="unlisted"))
    await publish_and_backfill_for_minutes(deployment, did)
    assert await answer_words_in(deployment, did) == {}
    before = await answers(deployment)
    await hear(deployment, gap)
    assert await answers(deployment) == before


async def hear(deployment: Deployment, hint: Hint) -> None:
    await deployment.queue.publish([Message(hint.routing_key, hint.did, encode(hint), hint.message_id)])
    await deployment.ingest()


async def answers(deployment: Deployment) -> list[tuple[str, int]]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select status, revision from attendances")
    return [(row["status"], row["revision"]) for row in rows]
