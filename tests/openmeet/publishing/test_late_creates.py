"""Creates that arrive after their content was retracted (invariant 3). Their responses were lost, and after any waiting
time they can still arrive.

Requests go through a proxy that can hold them for a long time.
"""

import asyncio

import pytest
from aiohttp import web

from at_protocol.syntax.did import parse_did
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import DAY, HOUR, MINUTE, SECOND
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.identities import actions as identities
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.publishing import schedule
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.outbox.in_flight import forget_old
from openmeet.outbox.publication_withdrawals import withdraw
from openmeet.outbox.publications import PublicationKind, PublicationState, retry_now
from tests.openmeet.deployment import Deployment
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.publishing.answers import answer_words_and_statuses
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours, publish_for_minutes
from tests.openmeet.publishing.late_requests import (
    UNLISTED,
    cleo,
    cleos_event_names,
    on_one_engine,
    refresh_cleos_session,
    send_into_the_void,
)
from tests.openmeet.publishing.other_app import cleos_records, delete_cleos_record, edit_cleos_record
from tests.simulation.proxy import never
from tests.timeouts import TIMEOUT_SECONDS

__all__ = ["cleo", "deployment"]


async def taken_back(deployment: Deployment, cleo: Caller, **typed: str) -> Event:
    """An event that became unlisted while its create had not arrived yet. The PDS says that there is no record."""
    event = await deployment.event(cleo, title="Tea", **typed)
    await send_into_the_void(deployment)
    await deployment.revise(cleo, event.slug, title="Tea", **UNLISTED)
    await publish_for_minutes(deployment)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
    return event


async def here(deployment: Deployment) -> list[tuple[str, bool]]:
    """The events on this site, and whether each has a record."""
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select title, record_uri from events where title <> 'Something else' order by id")
    return [(row["title"], row["record_uri"] is not None) for row in rows]


async def doubts(deployment: Deployment) -> tuple[int, int]:
    """How many creates are in doubt, and how many checks are queued."""
    async with deployment.db.reader() as reader:
        creates = await reader.fetch("select uri from in_flight_creates")
        looks = await reader.fetch("select subject from outbox_jobs where kind = 'late_write' and state <> 'completed'")
    return len(creates), len(looks)


@on_one_engine
async def test_a_create_with_a_response_is_not_in_doubt(deployment: Deployment, cleo: Caller):
    """Single creates, several at once, and creates that the PDS refuses are not in doubt."""
    await deployment.event(cleo, title="Tea")
    await deployment.deliver_publications()
    for title in ("Coffee", "Cocoa"):
        await deployment.event(cleo, title=title)
    await deployment.deliver_publications()
    assert sorted(await cleos_event_names(deployment)) == ["Cocoa", "Coffee", "Tea"]

    def busy(request: web.Request, _answer: web.Response) -> web.Response | None:
        return web.json_response({"error": "RateLimitExceeded"}, status=429) if "Record" in request.path else None

    deployment.proxy.twists = busy
    await deployment.event(cleo, title="Milk")
    await deployment.deliver_publications()
    assert await doubts(deployment) == (0, 0)


@on_one_engine
@pytest.mark.parametrize("is_edited", [False, True], ids=["unchanged", "edited"])
async def test_a_create_that_comes_back_before_its_response_is_not_in_doubt(
    deployment: Deployment, cleo: Caller, *, is_edited: bool
):
    """The stream reports the record, and perhaps another app's edit of it, before the publisher gets the response."""
    await deployment.event(cleo, title="Tea")
    is_written, goes_on = asyncio.Event(), asyncio.Event()

    async def is_slow(request: web.Request) -> None:
        if request.path.endswith(("putRecord", "applyWrites")):
            is_written.set()
            await goes_on.wait()

    deployment.proxy.meanwhile = is_slow
    slow = asyncio.create_task(schedule.run_once(deployment.publisher))
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await is_written.wait()
        if is_edited:
            (record,) = [one for one in await cleos_records(deployment, EVENT) if one["value"]["name"] == "Tea"]
            await edit_cleos_record(deployment, record, theme="blue")
        await deployment.listen(cleo.user_id)
        goes_on.set()
        await slow
    assert await doubts(deployment) == (0, 0)


async def test_a_late_create_is_deleted_when_the_stream_brings_it(deployment: Deployment, cleo: Caller):
    """The stream brings the record. It does not become a second event on this site, and it is deleted on the PDS."""
    await taken_back(deployment, cleo)
    assert await deployment.proxy.deliver() == [200]
    assert await cleos_event_names(deployment) == ["Tea"], "the record exists on the PDS"
    await deployment.listen(cleo.user_id)
    assert await here(deployment) == [("Tea", False)]
    await deployment.deliver_jobs()
    assert await cleos_event_names(deployment) == []
    await publish_and_listen_for_hours(deployment, cleo)
    assert await here(deployment) == [("Tea", False)]


async def test_a_late_create_is_deleted_even_without_a_stream(deployment: Deployment, cleo: Caller):
    """The repository is checked repeatedly until none of this site's requests can still be running."""
    await taken_back(deployment, cleo)
    await deployment.deliver_jobs()
    assert await deployment.proxy.deliver() == [200]
    for _ in range(3):
        deployment.clock.turn(10 * MINUTE)
        await deployment.deliver_jobs()
    assert await cleos_event_names(deployment) == []
    for _ in range(30):
        deployment.clock.turn(HOUR)
        await deployment.deliver_jobs()
    assert await doubts(deployment) == (0, 0), "the search ends"


@pytest.mark.parametrize("is_heard", [True, False], ids=["heard", "looked for"])
async def test_a_late_create_and_its_late_update_are_both_deleted(deployment: Deployment, cleo: Caller, is_heard: bool):
    """The create arrives, then the update that names its CID. The bytes are not those of the create, but the record is
    still this site's.
    """
    event = await deployment.event(cleo, title="Tea")
    await send_into_the_void(deployment)
    create, deployment.proxy.on_their_way = deployment.proxy.on_their_way, []
    await publish_for_minutes(deployment)
    await deployment.revise(cleo, event.slug, title="Coffee")
    await send_into_the_void(deployment)
    await deployment.revise(cleo, event.slug, title="Coffee", **UNLISTED)
    await publish_for_minutes(deployment)
    assert await cleos_event_names(deployment) == []
    deployment.proxy.on_their_way = create + deployment.proxy.on_their_way
    assert await deployment.proxy.deliver() == [200, 200]
    assert await cleos_event_names(deployment) == ["Coffee"], "the record exists on the PDS"
    if is_heard:
        await deployment.listen(cleo.user_id)
        assert await here(deployment) == [("Coffee", False)]
    else:
        deployment.clock.turn(10 * MINUTE)
    await deployment.deliver_jobs()
    assert await cleos_event_names(deployment) == []
    await publish_and_listen_for_hours(deployment, cleo)
    assert await here(deployment) == [("Coffee", False)]
    for _ in range(30):
        deployment.clock.turn(HOUR)
        await deployment.deliver_jobs()
    assert await doubts(deployment) == (0, 0), "the search ends"
    async with deployment.db.reader() as reader:
        assert await reader.fetch("select uri from in_flight_updates") == []


@on_one_engine
async def test_several_late_creates_of_one_commit_are_all_deleted(deployment: Deployment, cleo: Caller):
    events = [await deployment.event(cleo, title=title) for title in ("Tea", "Coffee", "Cocoa")]
    await send_into_the_void(deployment)
    for event in events[:2]:
        await deployment.revise(cleo, event.slug, title=event.title, **UNLISTED)
    await publish_for_minutes(deployment)
    assert sorted(set(await deployment.proxy.deliver())) in ([200], [400], [200, 400])
    await publish_and_listen_for_hours(deployment, cleo)
    await deployment.deliver_jobs()
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_event_names(deployment) == ["Cocoa"]
    assert sorted(await here(deployment)) == [("Cocoa", True), ("Coffee", False), ("Tea", False)]


async def test_a_create_that_comes_back_during_the_retraction_is_deleted(deployment: Deployment, cleo: Caller):
    """The create comes back before the retraction is complete, so no further message announces the record."""
    event = await deployment.event(cleo, title="Tea")
    await send_into_the_void(deployment)
    await deployment.revise(cleo, event.slug, title="Tea", **UNLISTED)
    arriving, deployment.proxy.on_their_way = deployment.proxy.on_their_way, []
    deployment.proxy.delays = lambda request: request.path.endswith("com.atproto.repo.getRecord")
    await deployment.deliver_publications()
    deployment.proxy.delays = never
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTING
    deployment.proxy.on_their_way = arriving
    assert await deployment.proxy.deliver() == [200]
    await deployment.listen(cleo.user_id)
    deployment.clock.turn(MINUTE)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_event_names(deployment) == []
    assert await here(deployment) == [("Tea", False)]


@on_one_engine
async def test_a_create_between_delete_and_proof_is_deleted(deployment: Deployment, cleo: Caller):
    """There was nothing to delete. The check that should prove that finds the record, so it is repeated at once."""
    event = await deployment.event(cleo, title="Tea")
    await send_into_the_void(deployment)
    await deployment.revise(cleo, event.slug, title="Tea", **UNLISTED)
    arrived: list[int] = []

    async def arrives(request: web.Request) -> None:
        if request.path.endswith("com.atproto.repo.getRecord"):
            arrived.extend(await deployment.proxy.deliver())

    deployment.proxy.meanwhile = arrives
    await deployment.deliver_publications()
    assert arrived == [200]
    assert await cleos_event_names(deployment) == ["Tea"]
    await deployment.deliver_jobs()
    assert await cleos_event_names(deployment) == []
    await publish_and_listen_for_hours(deployment, cleo)
    assert await here(deployment) == [("Tea", False)]


@on_one_engine
async def test_an_event_that_is_public_again_has_one_record(deployment: Deployment, cleo: Caller):
    """The event is published under its old record key, so the earlier create is refused when it arrives late."""
    event = await taken_back(deployment, cleo)
    await deployment.revise(cleo, event.slug, title="Tea", visibility="public")
    await publish_for_minutes(deployment)
    assert await deployment.proxy.deliver() == [400]
    assert await cleos_event_names(deployment) == ["Tea"]
    await publish_and_listen_for_hours(deployment, cleo)
    await deployment.deliver_jobs()
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = [one for one in await cleos_records(deployment, EVENT) if one["value"]["name"] == "Tea"]
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).uri == record["uri"]
    assert await here(deployment) == [("Tea", True)]


@pytest.mark.parametrize("is_heard_first", [True, False], ids=["heard", "paid"])
async def test_a_late_earlier_answer_is_not_taken_for_another_apps(
    deployment: Deployment, cleo: Caller, is_heard_first: bool
):
    """The record key of an answer is reused. The write from before the retraction arrives before that of the newer
    answer.
    """
    ana = await deployment.person()
    event = await deployment.event(ana, title="Tea")
    await deployment.deliver_publications()
    await publish_and_listen_for_hours(deployment, ana)
    await refresh_cleos_session(deployment, cleo)
    answer = await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await send_into_the_void(deployment)
    async with deployment.db.transaction() as tx:
        await withdraw(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await publish_for_minutes(deployment)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).state is PublicationState.RETRACTED
    async with deployment.db.transaction() as tx:
        await retry_now(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    assert await deployment.proxy.deliver() == [200]
    deployment.clock.turn(SECOND)
    if not is_heard_first:
        await deployment.deliver_publications()
    await publish_and_listen_for_hours(deployment, cleo)
    await deployment.deliver_jobs()
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == (["notgoing"], ["declined"])
    assert len(await cleos_records(deployment, RSVP)) == 1


@on_one_engine
async def test_a_foreign_record_under_the_key_is_left_alone(deployment: Deployment, cleo: Caller):
    """Another app writes under that key first, so this site's late create is refused. The URI belongs to the event, so
    the foreign record does not become a second event.
    """
    event = await deployment.event(cleo, title="Tea")
    await send_into_the_void(deployment)
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    assert uri is not None
    await deployment.revise(cleo, event.slug, title="Tea", **UNLISTED)
    await publish_for_minutes(deployment)
    app = await deployment.stranger("cleo")
    value = {"$type": EVENT, "name": "Hers", "createdAt": "2026-01-01T00:00:00Z", "startsAt": "2037-01-01T00:00:00Z"}
    did, rkey = uri.split("/")[2], uri.split("/")[4]
    await app.procedure("com.atproto.repo.putRecord", {"repo": did, "collection": EVENT, "rkey": rkey, "record": value})
    assert await deployment.proxy.deliver() == [400]
    deployment.clock.turn(10 * MINUTE)
    await publish_and_listen_for_hours(deployment, cleo)
    await deployment.deliver_jobs()
    assert await cleos_event_names(deployment) == ["Hers"]
    assert await here(deployment) == [("Tea", False)]


@on_one_engine
async def test_a_record_that_arrives_while_she_is_signed_out_is_deleted_later(deployment: Deployment, cleo: Caller):
    await taken_back(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await tx.execute("delete from repository_sessions")
    assert await deployment.proxy.deliver() == [200]
    deployment.clock.turn(HOUR)
    await deployment.deliver_jobs()
    assert await cleos_event_names(deployment) == ["Tea"]
    assert (await doubts(deployment))[1] == 1, "it is still queued"
    await deployment.connected_as("cleo")
    deployment.clock.turn(HOUR)
    await deployment.deliver_jobs()
    assert await cleos_event_names(deployment) == []


@on_one_engine
async def test_a_publisher_that_dies_leaves_the_write_in_doubt(deployment: Deployment, cleo: Caller):
    """A write is stored as in flight before it is sent, because a killed publisher cannot report it."""
    await deployment.event(cleo, title="Tea")
    sending: list[web.Request] = []

    def dies(request: web.Request) -> bool:
        if request.path.endswith("putRecord"):
            sending.append(request)
            task.cancel()
        return False

    deployment.proxy.loses = dies
    task = asyncio.create_task(schedule.run_once(deployment.publisher))
    with pytest.raises(asyncio.CancelledError):
        await task
    deployment.proxy.loses = never
    await deployment.proxy.quiet()
    assert sending
    assert await doubts(deployment) == (1, 0)
    deployment.clock.turn(DAY + HOUR)
    async with deployment.db.transaction() as tx:
        assert await forget_old(tx) == 1


@on_one_engine
async def test_a_deleted_create_that_comes_back_twice_completes_nothing(deployment: Deployment, cleo: Caller):
    """The response to the create was lost, so the create stays in doubt. The record key is about to be written again
    when the stream repeats the old commit (invariant 10).
    """
    ana = await deployment.person()
    event = await deployment.event(ana, title="Tea")
    await deployment.deliver_publications()
    await publish_and_listen_for_hours(deployment, ana)
    await refresh_cleos_session(deployment, cleo)
    answer = await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    deployment.proxy.loses = lambda request: request.path.endswith(("putRecord", "applyWrites"))
    await deployment.deliver_publications()
    deployment.proxy.loses = never
    await publish_and_listen_for_hours(deployment, cleo)
    uri = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri or ""
    async with deployment.db.reader() as reader:
        old = await seen.find(reader, uri)
    assert old is not None
    async with deployment.db.transaction() as tx:
        await withdraw(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await publish_for_minutes(deployment)
    await publish_and_listen_for_hours(deployment, cleo)
    await refresh_cleos_session(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await retry_now(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await send_into_the_void(deployment)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri == uri
    again = RecordMessage(
        parse_did(old.did),
        RSVP,
        parse_record_key(old.rkey),
        parse_tid(old.rev),
        RecordOperation.CREATE,
        old.cid,
        old.body,
        True,
    )
    async with deployment.db.transaction() as tx:
        assert await apply(tx, deployment.processor.ingestion_context, [again]) == [IngestResult.KNOWN]
        row = await tx.fetch_one("select record_uri from attendances where id = :id", id=answer.id)
    assert row is not None
    assert row["record_uri"] is None
    await deployment.proxy.deliver()
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == (["notgoing"], ["declined"])


@on_one_engine
async def test_a_response_after_the_key_was_given_up_ends_no_in_flight_write(deployment: Deployment, cleo: Caller):
    """The first publisher is slow. Another one retracts the event and proves that there is no record; only then does
    the PDS execute the create.
    """
    event = await deployment.event(cleo, title="Tea")

    async def is_slow(request: web.Request) -> None:
        if request.path.endswith(("putRecord", "applyWrites")):
            is_asked.set()
            await goes_on.wait()

    is_asked, goes_on = asyncio.Event(), asyncio.Event()
    deployment.proxy.before = is_slow
    slow = asyncio.create_task(schedule.run_once(deployment.publisher))
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await is_asked.wait()
        deployment.clock.turn(2 * MINUTE)
        await deployment.revise(cleo, event.slug, title="Tea", **UNLISTED)
        await deployment.deliver_publications()
        assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
        goes_on.set()
        await slow
    assert await cleos_event_names(deployment) == ["Tea"]
    deployment.clock.turn(10 * MINUTE)
    await deployment.deliver_jobs()
    assert await cleos_event_names(deployment) == []


@on_one_engine
@pytest.mark.parametrize("agrees", [True, False])
async def test_an_edit_made_while_the_record_was_deleted_is_not_lost(
    deployment: Deployment, cleo: Caller, agrees: bool
):
    """Another app deletes the record, and Cleo renames the event on this site before this is known. Then an earlier
    create of this site arrives, and the other app renames that record.
    """
    event = await deployment.event(cleo, title="Tea")
    await send_into_the_void(deployment)
    await publish_for_minutes(deployment)
    await deployment.listen(cleo.user_id)
    (record,) = [one for one in await cleos_records(deployment, EVENT) if one["value"]["name"] == "Tea"]
    await delete_cleos_record(deployment, record)
    deployment.clock.turn(SECOND)
    await deployment.revise(cleo, event.slug, title="Tea at ours")
    await deployment.listen(cleo.user_id)
    assert await deployment.proxy.deliver() == [200]
    if not agrees:
        async with deployment.db.transaction() as tx:
            await identities.withdraw(tx, cleo.user_id)
    deployment.clock.turn(SECOND)
    await edit_cleos_record(deployment, record, name="Tea for all", theme="blue")
    await publish_and_listen_for_hours(deployment, cleo)
    await publish_for_minutes(deployment)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await here(deployment) == [("Tea at ours", agrees)]
    there = [(one["value"]["name"], one["value"].get("theme")) for one in await cleos_records(deployment, EVENT)]
    assert ("Tea at ours", "blue") in there if agrees else "Tea for all" not in [name for name, _ in there]
    async with deployment.db.reader() as reader:
        kept = {one.decision.theirs for one in await merge_decisions.of_records(reader, [record["uri"]], ALL_ROWS)}
    assert kept == {"Tea for all"}
