"""Records that fail individually are also quarantined when they come from the stream or are fetched one by one.

From a real PDS, on both engines, with real refusals.
"""

import pytest

from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE
from groundwork.outbox import jobs
from groundwork.outbox.jobs import JobState
from openmeet.i18n.reasons.messages import explain
from openmeet.network.ingestion import quarantine
from openmeet.network.ingestion.quarantine import MAX_QUARANTINED, FailedStep
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENT
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.seen import RecordState
from openmeet.outbox.kinds import JobKind
from tests.openmeet.deployment import Deployment
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.ingestion.cleos_repository import cleo, write_event_and_answer
from tests.openmeet.ingestion.network import did, event, key_of, rsvp
from tests.openmeet.ingestion.poison_messages import accept_again, poison, quarantined_keys, quarantined_records
from tests.openmeet.ingestion.view import apply_messages, view_of

__all__ = ["cleo", "deployment"]


def waiting_for(uri: str) -> list[RecordMessage]:
    return [rsvp(number, key, 1, uri) for number, key in ((2, "good"), (3, "late"), (4, "fine"))]


async def counted(deployment: Deployment, uri: str, but: str) -> set[str]:
    return {did for did, about in (await view_of(deployment.db)).answers if about == uri} - {but}


async def read_stream(deployment: Deployment, did: Did) -> None:
    """Read the stream of a repository to its end and process it."""
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select user_id from identities where did = :did", did=did)
    await deployment.listen(rows[0]["user_id"])


async def is_quiet(deployment: Deployment) -> bool:
    """True if no message is dead or waiting for a retry and no job has failed."""
    async with deployment.db.reader() as reader:
        lost = await jobs.in_state(reader, JobState.FAILED)
    depth = await deployment.queue.depth()
    return not lost and (depth.dead, depth.waiting) == (0, 0)


async def run_until_idle(deployment: Deployment) -> None:
    for _ in range(6):
        await deployment.deliver_jobs()
        deployment.clock.turn(MINUTE)


@pytest.mark.parametrize("way", ["stream", "fetched"])
async def test_a_bad_waiting_rsvp_does_not_block_its_event(deployment: Deployment, cleo: Did, way: str):
    """The event is applied, other RSVPs count, and the failing one has a reason. After it is healed and retried, it
    counts and is removed from the list.
    """
    uri = f"at://{cleo}/{EVENT}/{key_of('a')}"
    waiting = waiting_for(uri)
    await apply_messages(deployment.db, *waiting)
    await poison(deployment.db, "attendances", "late")
    await write_event_and_answer(deployment, cleo, "a")
    if way == "stream":
        await read_stream(deployment, cleo)
    await run_until_idle(deployment)
    assert uri in (await view_of(deployment.db)).events
    assert await counted(deployment, uri, cleo) == {waiting[0].did, waiting[2].did}
    (one,) = await quarantined_records(deployment.db)
    assert (one.uri, one.did, one.step, one.rev) == (
        waiting[1].uri,
        waiting[1].did,
        FailedStep.APPLY_AWAITING,
        waiting[1].rev,
    )
    assert "poisoned" in explain(one.reason)
    assert await is_quiet(deployment)
    await accept_again(deployment.db, "attendances", "late")
    async with deployment.db.transaction() as tx:
        await quarantine.retry(tx, [one.uri])
    await run_until_idle(deployment)
    assert await counted(deployment, uri, cleo) == {one.did for one in waiting}
    assert await quarantined_records(deployment.db) == []
    assert await is_quiet(deployment)


async def test_a_deleted_rsvp_leaves_the_list(deployment: Deployment, cleo: Did):
    uri = f"at://{cleo}/{EVENT}/{key_of('a')}"
    (bad,) = [rsvp(3, "late", 1, uri)]
    await apply_messages(deployment.db, bad)
    await poison(deployment.db, "attendances", "late")
    await write_event_and_answer(deployment, cleo, "a")
    await read_stream(deployment, cleo)
    await run_until_idle(deployment)
    assert await quarantined_keys(deployment.db) == ["late"]
    async with deployment.db.transaction() as tx:
        await tx.execute("delete from records where uri = :uri", uri=bad.uri)
    assert await quarantined_records(deployment.db) == []
    async with deployment.db.transaction() as tx:
        assert await quarantine.delete_obsolete(tx) == 1


async def test_if_every_rsvp_fails_the_job_fails(deployment: Deployment, cleo: Did):
    """Above the limit the job fails instead of quarantining single answers."""
    uri = f"at://{cleo}/{EVENT}/{key_of('a')}"
    one_more = MAX_QUARANTINED + 1
    answers = [rsvp(2, f"bad{number}", 1, uri) for number in range(one_more)]
    await apply_messages(deployment.db, *answers)
    for digit in range(10):
        await poison(deployment.db, "attendances", f"bad%{digit}")
    await write_event_and_answer(deployment, cleo, "a")
    await read_stream(deployment, cleo)
    for _ in range(6):
        await deployment.deliver_jobs()
        deployment.clock.turn(10 * MINUTE)
    assert await quarantined_records(deployment.db) == []
    async with deployment.db.reader() as reader:
        (lost,) = await jobs.in_state(reader, JobState.FAILED)
    assert (lost.kind, lost.subject) == (JobKind.FETCH_SUBJECT, uri)


async def not_fetched(deployment: Deployment, cleo: Did) -> str:
    """An event with an RSVP that cannot be applied. Returns its URI."""
    uri = f"at://{cleo}/{EVENT}/{key_of('a')}"
    await poison(deployment.db, "events", key_of("a"))
    await write_event_and_answer(deployment, cleo, "a")
    await apply_messages(deployment.db, rsvp(2, "good", 1, uri))
    await run_until_idle(deployment)
    return uri


async def test_an_event_that_cannot_be_applied_is_quarantined(deployment: Deployment, cleo: Did):
    """The event's RSVPs wait. Once the event is applied, by any route, it is removed from the list and the RSVPs count."""
    uri = await not_fetched(deployment, cleo)
    (one,) = await quarantined_records(deployment.db)
    assert (one.uri, one.step) == (uri, FailedStep.APPLY)
    assert await is_quiet(deployment)
    await accept_again(deployment.db, "events", key_of("a"))
    await read_stream(deployment, cleo)
    assert await quarantined_records(deployment.db) == [], (
        "the stream has delivered the same version with an earlier rev"
    )
    assert await counted(deployment, uri, cleo) == {did(2)}


async def test_a_quarantined_event_is_applied_when_read_again(deployment: Deployment, cleo: Did):
    uri = await not_fetched(deployment, cleo)
    await accept_again(deployment.db, "events", key_of("a"))
    async with deployment.db.transaction() as tx:
        await quarantine.retry(tx, [uri])
    await run_until_idle(deployment)
    assert (await quarantined_records(deployment.db), await counted(deployment, uri, cleo)) == ([], {did(2)})
    async with deployment.db.reader() as reader:
        assert await reader.fetch("select uri from quarantined_records") == []


async def test_a_successful_fetch_clears_the_quarantine(deployment: Deployment, cleo: Did):
    uri = await not_fetched(deployment, cleo)
    await accept_again(deployment.db, "events", key_of("a"))
    async with deployment.db.transaction() as tx:
        await jobs.enqueue_again(tx, JobKind.FETCH_SUBJECT, [uri])
    await run_until_idle(deployment)
    async with deployment.db.reader() as reader:
        assert await reader.fetch("select uri from quarantined_records") == []
    assert await counted(deployment, uri, cleo) == {did(2)}


async def test_an_event_that_arrives_clears_its_failed_job(deployment: Deployment):
    """The job that fetches an event failed, and then the stream brings the event. Failed jobs of other events stay."""
    tea, cake = event(1, "tea", 2), event(1, "cake", 2)
    await apply_messages(deployment.db, rsvp(2, "one", 1, tea.uri), rsvp(2, "two", 1, cake.uri))
    async with deployment.db.transaction() as tx:
        await tx.execute(
            "update outbox_jobs set state = 'failed', reason_code = 'Malformed' where kind = 'fetch_subject'"
        )
    await apply_messages(deployment.db, tea)
    async with deployment.db.reader() as reader:
        assert [one.subject for one in await jobs.in_state(reader, JobState.FAILED)] == [cake.uri]
        found = await jobs.find(reader, JobKind.FETCH_SUBJECT, tea.uri)
    assert found is not None
    assert (found.state, found.why) == (JobState.COMPLETED, None)


async def test_a_bad_event_on_the_stream_becomes_a_dead_letter(deployment: Deployment, cleo: Did):
    """The event fails even without the RSVPs that wait for it, so the event itself is bad."""
    uri = f"at://{cleo}/{EVENT}/{key_of('a')}"
    await apply_messages(deployment.db, rsvp(2, "good", 1, uri))
    await poison(deployment.db, "events", key_of("a"))
    await write_event_and_answer(deployment, cleo, "a")
    await read_stream(deployment, cleo)
    for _ in range(6):
        deployment.clock.turn(10 * MINUTE)
        await deployment.ingest()
    assert (await deployment.queue.depth()).dead == 1
    async with deployment.db.reader() as reader:
        known = await seen.find(reader, rsvp(2, "good", 1, uri).uri)
    assert known is not None
    assert known.state is RecordState.AWAITS_EVENT
