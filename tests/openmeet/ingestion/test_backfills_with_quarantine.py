"""Reads of whole repositories with a record that cannot be applied, from a real PDS, on both engines: compared,
repaired and retried.
"""

from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE, SECOND
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.identities import backfill_progress
from openmeet.network.ingestion import account_deletion, discrepancies, quarantine
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.ingestion.discrepancies import Discrepancy
from openmeet.network.ingestion.quarantine import FailedStep
from openmeet.network.records.collections import EVENT
from openmeet.outbox.kinds import JobKind
from tests.openmeet.deployment import Deployment
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.ingestion.cleos_repository import cleo, reconcile_repository, write_event_and_answer
from tests.openmeet.ingestion.network import key_of, rsvp
from tests.openmeet.ingestion.poison_messages import accept_again, poison, quarantined_keys, quarantined_records
from tests.openmeet.ingestion.view import apply_messages, view_of

__all__ = ["cleo", "deployment"]


KEYS = ("a", "b", "c")


async def queued(deployment: Deployment, did: Did) -> dict[str, str]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select kind, state from outbox_jobs where subject = :did order by kind", did=did)
    return {row["kind"]: row["state"] for row in rows if row["kind"] in {"backfill", "reconcile"}}


async def test_a_comparison_continues_past_a_bad_record(deployment: Deployment, cleo: Did):
    """The other records are repaired and the job completes every day. The bad record is reported once, and repaired
    after it is healed.
    """
    for key in KEYS:
        await write_event_and_answer(deployment, cleo, key)
    await poison(deployment.db, "records", key_of("b"))
    for day in range(3):
        async with deployment.db.transaction() as tx:
            await enqueue_again(tx, JobKind.RECONCILE, [cleo])
        deployment.clock.turn(SECOND)
        await deployment.deliver_jobs()
        assert (await queued(deployment, cleo))["reconcile"] == "completed", day
    assert sorted((await view_of(deployment.db)).events.values()) == ["Tea a", "Tea c", "Tea first"]
    (one,) = await quarantined_records(deployment.db)
    # Three comparisons, and one fetch for the RSVP that waits for it.
    assert (one.uri.rpartition("/")[2], one.times, one.step) == (key_of("b"), 4, FailedStep.APPLY)
    async with deployment.db.reader() as reader:
        newest = await discrepancies.newest(reader)
    assert [(found.uri, found.kind) for found in newest if found.repaired_at is None] == [
        (one.uri, Discrepancy.RECORD_MISSING)
    ]
    await accept_again(deployment.db, "records", key_of("b"))
    mended = await reconcile_repository(deployment, cleo)
    assert [found.uri for found in mended.repaired if found.uri == one.uri] == [one.uri]
    assert (mended.unrepaired, mended.failed, await quarantined_records(deployment.db)) == ([], [], [])
    assert len((await view_of(deployment.db)).answers) == len(KEYS) + 1
    clean = await reconcile_repository(deployment, cleo)
    assert (clean.repaired, clean.unrepaired, clean.failed) == ([], [], [])


async def test_an_unrepairable_record_does_not_block_others(deployment: Deployment, cleo: Did):
    """A row lost its record and cannot be recreated. All other rows are repaired, and an operator can retry this one."""
    for key in KEYS:
        await write_event_and_answer(deployment, cleo, key)
    await reconcile_repository(deployment, cleo)
    async with deployment.db.transaction() as tx:
        assert await tx.execute("delete from attendances") == len(KEYS) + 1
    await poison(deployment.db, "attendances", "tob")
    first = await reconcile_repository(deployment, cleo)
    assert len(first.repaired) == len(KEYS)
    (failed,), (unrepaired,) = first.failed, first.unrepaired
    assert (failed.uri, unrepaired.kind) == (unrepaired.uri, Discrepancy.ROW_MISSING)
    again = await reconcile_repository(deployment, cleo)
    assert ([one.uri for one in again.unrepaired], again.repaired) == ([failed.uri], [])
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, cleo)
    (one,) = await quarantined_records(deployment.db)
    assert (one.step, one.times) == (FailedStep.REPAIR, 2), "a read that repairs nothing does not report a repair"
    await accept_again(deployment.db, "attendances", "tob")
    async with deployment.db.transaction() as tx:
        await quarantine.retry(tx, [one.uri])
    deployment.clock.turn(SECOND)
    await deployment.deliver_jobs()
    assert (await queued(deployment, cleo))["reconcile"] == "completed"
    assert await quarantined_records(deployment.db) == []
    assert len((await view_of(deployment.db)).answers) == len(KEYS) + 1


async def test_an_operator_can_retry_a_quarantined_record(deployment: Deployment, cleo: Did):
    """Before the record is healed, a retry fails for the same reason. Afterwards it is applied, and the read counts as
    complete.
    """
    await write_event_and_answer(deployment, cleo, "a")
    uri = await write_event_and_answer(deployment, cleo, "b")
    await poison(deployment.db, "events", key_of("b"))
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, cleo)
    # Two reads, and one fetch for the RSVP that waits for the record.
    for times, is_healed in ((3, False), (3, True)):
        if is_healed:
            await accept_again(deployment.db, "events", key_of("b"))
        async with deployment.db.transaction() as tx:
            await quarantine.retry(tx, [uri])
        assert (await queued(deployment, cleo))["backfill"] == "due"
        deployment.clock.turn(SECOND)
        await deployment.deliver_jobs()
        assert (await queued(deployment, cleo))["backfill"] == "completed"
        assert [one.times for one in await quarantined_records(deployment.db)] == ([] if is_healed else [times])
    assert uri in (await view_of(deployment.db)).events
    async with deployment.db.reader() as reader:
        (row,) = await reader.fetch("select floor_rev, missed_rev from repositories where did = :did", did=cleo)
    assert (row["floor_rev"] != "", row["missed_rev"]) == (True, "")


async def test_a_read_past_a_bad_record_reaches_the_missed_rev(deployment: Deployment, cleo: Did):
    """The read counts as complete and is not repeated because of this record."""
    await write_event_and_answer(deployment, cleo, "a")
    await poison(deployment.db, "events", key_of("a"))
    async with deployment.db.transaction() as tx:
        await tx.execute("update repositories set missed_rev = '2222222222222' where did = :did", did=cleo)
        await enqueue_again(tx, JobKind.BACKFILL, [cleo])
    await deployment.deliver_jobs()
    assert (await queued(deployment, cleo))["backfill"] == "completed"
    assert await quarantined_keys(deployment.db) == [key_of("a")]


async def test_the_result_reports_quarantined_records(deployment: Deployment, cleo: Did):
    """The read completes and reports the number of quarantined records until they are applied."""
    async with deployment.db.transaction() as tx:
        await backfill_progress.track(tx, cleo)
        (row,) = await tx.fetch("select user_id from identities where did = :did", did=cleo)
    await write_event_and_answer(deployment, cleo, "a")
    await poison(deployment.db, "events", key_of("a"))
    for put, total in ((1, 4), (0, 4)):
        await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, cleo)
        async with deployment.db.reader() as reader:
            (one,) = await backfill_progress.of_person(reader, row["user_id"])
        assert (one.is_done, one.total, one.quarantined) == (True, total, put)
        if put:
            assert one.applied == total - put
            await accept_again(deployment.db, "events", key_of("a"))


async def test_a_failing_waiting_rsvp_does_not_block_its_event(deployment: Deployment, cleo: Did):
    """The event and all other records are applied. RSVPs that waited for the event count, and the failing one counts
    after it is healed.
    """
    uri = f"at://{cleo}/{EVENT}/{key_of('a')}"
    waiting = [rsvp(number, key, 1, uri) for number, key in ((2, "good"), (3, "late"), (4, "fine"))]
    await apply_messages(deployment.db, *waiting)
    await poison(deployment.db, "attendances", "late")
    await write_event_and_answer(deployment, cleo, "a")
    await write_event_and_answer(deployment, cleo, "b")
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, cleo)
    assert sorted((await view_of(deployment.db)).events.values()) == ["Tea a", "Tea b", "Tea first"]
    assert await quarantined_records(deployment.db) == []

    async def counted() -> set[str]:
        return {did for did, about in (await view_of(deployment.db)).answers if about == uri} - {cleo}

    for _ in range(5):
        await deployment.deliver_jobs()
        deployment.clock.turn(MINUTE)
        assert await counted() == {waiting[0].did, waiting[2].did}
    async with deployment.db.reader() as reader:
        (job,) = await reader.fetch(
            "select state from outbox_jobs where kind = 'fetch_subject' and subject = :uri", uri=uri
        )
        (kept,) = await reader.fetch("select state from records where uri = :uri", uri=waiting[1].uri)
    assert (job["state"], kept["state"]) == ("completed", "awaits_event"), "the retries end"
    assert await quarantined_keys(deployment.db) == ["late"], "the operator pages show it"
    await accept_again(deployment.db, "attendances", "late")
    async with deployment.db.transaction() as tx:
        await enqueue_again(tx, JobKind.FETCH_SUBJECT, [uri])
    await deployment.deliver_jobs()
    assert await counted() == {one.did for one in waiting}


async def test_quarantined_records_are_erased_with_the_account(deployment: Deployment, cleo: Did):
    await write_event_and_answer(deployment, cleo, "a")
    await poison(deployment.db, "events", key_of("a"))
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, cleo)
    assert await quarantined_keys(deployment.db) == [key_of("a")]
    async with deployment.db.transaction() as tx:
        await account_deletion.erase_here(tx, [b"k" * 32], cleo)
    assert await quarantined_records(deployment.db) == []
