"""Reading the calendar collections of a repository, record by record, and whole repositories on request, from a real
PDS.
"""

import random

import pytest

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.mst import Tree
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import Nsid
from groundwork.clock import MINUTE, Instant
from groundwork.errors import InvalidInput, RemoteFailed
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.jobs import Job, JobState
from groundwork.rate_limit.contract import Limit
from groundwork.rate_limit.in_process import InProcessCounters
from groundwork.workers.limits import JobLimits
from openmeet.network.ingestion import listing, quarantine, record_proofs, repository_reads
from openmeet.network.ingestion.backfill import (
    backfill,
    backfill_handler,
    backfill_whole,
    chosen_collections,
    subject_of,
)
from openmeet.network.ingestion.record_proofs import fetch_verified_each
from openmeet.network.ingestion.server_budgets import spending, unlimited
from openmeet.network.records.collections import CONCERNING, EVENT, RSVP
from openmeet.network.records.message import RecordOperation
from openmeet.network.repositories import read
from openmeet.outbox.kinds import JobKind
from tests.openmeet.deployment import Deployment

TID_DIGITS = str.maketrans("0189", "uvwx")
RECORD = {"$type": EVENT, "name": "Tea", "createdAt": "2026-03-01T00:00:00Z"}


async def _write(deployment: Deployment, count: int) -> tuple[str, list[str]]:
    """Create an account and write this many events that OpenMeet has not seen. Returns the DID and the URIs."""
    cleo = await deployment.connected("cleo")
    app = await deployment.stranger("cleo")
    did = (await deployment.identity(cleo.user_id)).did
    # Use the same keys in every run, because they decide the shape of the tree and how many records a proof covers.
    made = [
        await app.procedure(
            "com.atproto.repo.createRecord",
            {
                "repo": did,
                "collection": EVENT,
                "rkey": f"3mqdau33oz{number:03}".translate(TID_DIGITS),
                "record": RECORD,
            },
        )
        for number in range(count)
    ]
    return did, [str(one["uri"]) for one in made]


async def _titles(deployment: Deployment) -> dict[str, bool]:
    """Titles of the events by URI, and whether they are verified."""
    question = """
        select e.record_uri, r.is_verified from events e join records r on r.uri = e.record_uri
         where e.removed_at is null
    """
    async with deployment.db.reader() as reader:
        return {row["record_uri"]: bool(row["is_verified"]) for row in await reader.fetch(question)}


def _without_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every download of a whole repository fail."""
    monkeypatch.setattr(read, "MAX_REPOSITORY_BYTES", 100)


async def _repository(deployment: Deployment, did: str) -> tuple[str, bool]:
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select floor_rev, synced_at from repositories where did = :did", did=did)
    return ("", False) if row is None else (row["floor_rev"], row["synced_at"] is not None)


async def test_only_our_collections_are_read(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """The collections are read page by page and each record is verified, also the absence of deleted ones. The complete
    read raises the repository's floor.
    """
    did, uris = await _write(deployment, 5)
    monkeypatch.setattr(listing, "PAGE", 2)
    _without_export(monkeypatch)
    app = await deployment.stranger("cleo")
    post = {"$type": "org.example.note", "text": "x" * 200_000}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": post["$type"], "record": post})
    assert (
        await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did)) == 5
    )
    assert await _titles(deployment) == dict.fromkeys(uris, True)
    floor, was_read = await _repository(deployment, did)
    await app.procedure(
        "com.atproto.repo.deleteRecord", {"repo": did, "collection": EVENT, "rkey": uris[0].rpartition("/")[2]}
    )
    assert (
        await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did)) == 4
    )
    assert await _titles(deployment) == dict.fromkeys(uris[1:], True)
    assert was_read
    assert (await _repository(deployment, did))[0] > floor


async def test_known_records_are_not_proven_again(deployment: Deployment):
    """A second read requests the list and the changed records."""
    did, _uris = await _write(deployment, 5)
    asked: list[str] = []

    async def count(host: str) -> None:
        asked.append(host)

    await listing.list_records(deployment.network, parse_did(did), CONCERNING, count)
    listed = len(asked)
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did), count)
    first = len(asked)
    assert first > 2 * listed
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did), count)
    assert len(asked) - first == listed


async def test_neighbours_of_a_proven_record_need_no_request(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """The tree nodes that prove one record also prove its neighbours, whose content was in the list. If the listed
    content was discarded, it is downloaded.
    """
    did, uris = await _write(deployment, 24)
    asked: list[str] = []

    async def count(host: str) -> None:
        asked.append(host)

    listed = await listing.list_records(deployment.network, parse_did(did), [EVENT])
    assert set(listed.records) == set(uris)
    # One after the other, because requests that are under way at the same time cannot use each other's nodes.
    monkeypatch.setattr(record_proofs, "SIDE_BY_SIDE", 1)
    proofs = await fetch_verified_each(deployment.network, uris, count, listed.records)
    assert [one.uri for one in proofs.messages] == uris
    assert len(asked) == 8
    singly = await fetch_verified_each(deployment.network, uris, count)
    assert proofs.messages == singly.messages
    monkeypatch.setattr(listing, "MAX_KEPT_BYTES", 2 * len(next(iter(listed.records.values()))))
    listed = await listing.list_records(deployment.network, parse_did(did), [EVENT])
    assert len(listed.records) == 2
    assert len(listed.cids) == len(uris)


async def test_listed_content_must_match_the_record(deployment: Deployment):
    """A list is unsigned. If the content under a URI differs, the record is downloaded with its proof. Missing records
    are verified too.
    """
    did, uris = await _write(deployment, 24)
    wrong = cbor.encode({**RECORD, "name": "Coffee"})
    gone = f"at://{did}/{EVENT}/3mqdau33ozs2n"
    proofs = await fetch_verified_each(
        deployment.network, [*uris, gone], unlimited, dict.fromkeys([*uris, gone], wrong)
    )
    assert [one.uri for one in proofs.messages] == [*uris, gone]
    assert proofs.messages == (await fetch_verified_each(deployment.network, [*uris, gone], unlimited)).messages
    assert [one.operation for one in proofs.messages].count(RecordOperation.DELETE) == 1


async def test_reads_respect_the_hosts_budget_and_keep_progress(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
):
    """The rest is scheduled for the time when the host's budget allows it, and does not count as a failure."""
    monkeypatch.setattr(repository_reads, "BATCH", 2)
    did, uris = await _write(deployment, 5)
    spend = spending(InProcessCounters(), deployment.clock, Limit("records_asked_of_server", 5, 60))
    handlers = {
        JobKind.BACKFILL: one_job_per_call(
            backfill_handler(deployment.db, deployment.network, deployment.processor.ingestion_context, spend)
        )
    }
    async with deployment.db.transaction() as tx:
        await jobs.enqueue(tx, JobKind.BACKFILL, did, int(tx.now))
    await dispatcher.run_once(deployment.db, handlers)
    taken = len(await _titles(deployment))
    assert 0 < taken < len(uris)
    async with deployment.db.reader() as reader:
        job = await jobs.find(reader, JobKind.BACKFILL, did)
    assert job is not None
    assert (job.state, job.attempts) == (JobState.DUE, 0)
    assert job.due_at > deployment.clock.now()
    assert (await _repository(deployment, did))[0] == "", "a partial read does not count as complete"
    deployment.clock.turn(2 * MINUTE)
    await dispatcher.run_once(deployment.db, handlers)
    assert await _titles(deployment) == dict.fromkeys(uris, True)


async def test_a_record_that_cannot_be_proven_is_quarantined(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """The record's proof exceeds the size limit. All other records are applied, and the read does not count as
    complete.
    """
    did, uris = await _write(deployment, 3)
    app = await deployment.stranger("cleo")
    large = {**RECORD, "note": random.Random(1).randbytes(100_000).hex()}
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": large})
    monkeypatch.setattr(read, "MAX_PROOF_BYTES", 70_000)
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did))
    assert await _titles(deployment) == dict.fromkeys(uris, True)
    async with deployment.db.reader() as reader:
        assert [one.uri for one in await quarantine.page(reader)] == [made["uri"]]
    assert (await _repository(deployment, did))[0] == ""


async def test_an_operator_may_have_the_whole_repository_fetched(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
):
    """The repository is downloaded in one piece. A repository that is too large is listed instead."""
    did, uris = await _write(deployment, 3)
    handler = backfill_handler(deployment.db, deployment.network, deployment.processor.ingestion_context)
    subject = subject_of(parse_did(did), is_whole=True)
    await handler(Job("backfill", subject, 1, JobState.LEASED, 0, Instant(0), "", 1))
    assert await _titles(deployment) == dict.fromkeys(uris, True)
    more = await _more(deployment, did)
    _without_export(monkeypatch)
    await handler(Job("backfill", subject, 1, JobState.LEASED, 0, Instant(0), "", 1))
    assert await _titles(deployment) == dict.fromkeys([*uris, more], True)


async def _more(deployment: Deployment, did: str) -> str:
    app = await deployment.stranger("cleo")
    wish = {"repo": did, "collection": EVENT, "record": RECORD}
    return str((await app.procedure("com.atproto.repo.createRecord", wish))["uri"])


async def test_whole_repositories_are_decoded_in_worker_processes(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
):
    """Neither the blocks nor the tree are decoded in this process."""
    did, uris = await _write(deployment, 3)

    def here(*_arguments: object, **_options: object) -> None:
        raise AssertionError("read in this process")

    monkeypatch.setattr(car.CarReader, "feed", here)
    monkeypatch.setattr(Tree, "walk", here)
    assert (
        await backfill_whole(deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did))
        == 3
    )
    assert await _titles(deployment) == dict.fromkeys(uris, True)


async def test_an_expensive_repository_is_listed_instead(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """The worker that reads the repository is stopped, and the calendar is read record by record."""
    did, uris = await _write(deployment, 3)
    monkeypatch.setattr(read, "limits_of", lambda _size: JobLimits(wall_seconds=0.0))
    assert (
        await backfill_whole(deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did))
        == 3
    )
    assert await _titles(deployment) == dict.fromkeys(uris, True)


async def test_an_implausibly_large_calendar_is_not_read(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """The calendar has more records than any person. None is applied, because a part of them would look complete."""
    did, _ = await _write(deployment, 3)
    monkeypatch.setattr(listing, "PAGE", 1)
    monkeypatch.setattr(listing, "MAX_PAGES", 2)
    with pytest.raises(RemoteFailed, match=r"too_many_records .* most=2"):
        await listing.list_records(deployment.network, parse_did(did), [EVENT])


async def test_only_chosen_collections_are_read(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """Records in these collections are applied and deleted ones removed. The read does not count as complete, and the
    state of an earlier complete read stays.
    """
    did, uris = await _write(deployment, 2)
    app = await deployment.stranger("cleo")
    answer = {"$type": RSVP, "status": f"{RSVP}#going", "subject": {"uri": uris[0], "cid": str(Cid.for_cbor(b"\xa0"))}}
    wish = {"repo": did, "collection": RSVP, "rkey": "3mqdau33ozs2n"}
    await app.procedure("com.atproto.repo.putRecord", {**wish, "record": answer})
    _without_export(monkeypatch)
    post = {"$type": "org.example.note", "text": "x" * 200_000}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": post["$type"], "record": post})
    await _pay_read(deployment, did, EVENT)
    assert await _titles(deployment) == dict.fromkeys(uris, True)
    assert await _answers(deployment) == 0
    await _pay_read(deployment, did, RSVP)
    assert await _answers(deployment) == 1
    await app.procedure("com.atproto.repo.deleteRecord", wish)
    key = uris[1].rpartition("/")[2]
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": EVENT, "rkey": key})
    await _pay_read(deployment, did, EVENT)
    assert list(await _titles(deployment)) == uris[:1]
    assert await _answers(deployment) == 1, "absence of an answer is not checked by a read of events"
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select floor_rev, synced_at from repositories where did = :did", did=did)
    assert row is None or (row["floor_rev"], row["synced_at"]) == ("", None)
    assert (
        await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, parse_did(did)) == 1
    )
    assert await _answers(deployment) == 0


def test_an_unknown_collection_is_refused_with_the_valid_ones():
    """The request is refused before any server is contacted, and the error names the collections that can be read."""
    assert chosen_collections([RSVP, EVENT, RSVP]) == (EVENT, RSVP)
    assert chosen_collections([]) == ()
    with pytest.raises(InvalidInput, match=rf"collection=app\.bsky\.feed\.post collections={EVENT}"):
        chosen_collections([EVENT, "app.bsky.feed.post"])


async def _pay_read(deployment: Deployment, did: str, collection: Nsid) -> None:
    """Run the job that the CLI command enqueues, as the dispatcher does."""
    subject = subject_of(parse_did(did), [collection])
    handler = backfill_handler(deployment.db, deployment.network, deployment.processor.ingestion_context)
    await handler(Job("backfill", subject, 1, JobState.LEASED, 0, Instant(0), "", 1))


async def _answers(deployment: Deployment) -> int:
    async with deployment.db.reader() as reader:
        return len(await reader.fetch("select id from attendances where record_uri is not null"))
