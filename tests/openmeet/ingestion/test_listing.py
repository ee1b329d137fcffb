"""Reading our collections of a repository, record by record, and whole repositories where that is asked for: against a real PDS."""

import asyncio
import random

import pytest

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import Nsid
from groundwork.clock import MINUTE, Instant
from groundwork.errors import InvalidInput, RemoteFailed
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.dispatcher import HandlerOptions
from groundwork.outbox.jobs import Job, JobState
from groundwork.rate_limit.contract import Limit
from groundwork.rate_limit.in_process import InProcessCounters
from openmeet.network.ingestion import backfill as backfilling
from openmeet.network.ingestion import dead_letters, listing
from openmeet.network.ingestion.backfill import (
    backfill,
    backfill_handler,
    backfill_whole,
    chosen_collections,
    subject_of,
)
from openmeet.network.ingestion.host_budgets import spending
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.repositories import read
from openmeet.outbox.kinds import JobKind
from tests.openmeet.town import Town

RECORD = {"$type": EVENT, "name": "Tea", "createdAt": "2026-03-01T00:00:00Z"}


async def _write(town: Town, count: int) -> tuple[str, list[str]]:
    """An account with so many events that OpenMeet has not heard of; their uris."""
    cleo = await town.connected("cleo")
    app = await town.stranger("cleo")
    did = (await town.identity(cleo.user_id)).did
    made = [
        await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": RECORD})
        for _ in range(count)
    ]
    return did, [str(one["uri"]) for one in made]


async def _titles(town: Town) -> dict[str, bool]:
    """Events by uri, and whether they are signed for."""
    question = """
        select e.record_uri, r.is_verified from events e join records r on r.uri = e.record_uri
         where e.removed_at is null
    """
    async with town.db.reader() as reader:
        return {row["record_uri"]: bool(row["is_verified"]) for row in await reader.fetch(question)}


def _without_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever fetches a whole repository fails."""
    monkeypatch.setattr(read, "SMALL_REPOSITORY_BYTES", 100)
    monkeypatch.setattr(read, "MAX_REPOSITORY_BYTES", 100)


async def _repository(town: Town, did: str) -> tuple[str, bool]:
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select floor_rev, synced_at from repositories where did = :did", did=did)
    return ("", False) if row is None else (row["floor_rev"], row["synced_at"] is not None)


async def test_only_our_collections_are_read(town: Town, monkeypatch: pytest.MonkeyPatch):
    """Page by page, each record proven, whatever else the repository holds; what is gone is proven gone, and history begins."""
    did, uris = await _write(town, 5)
    monkeypatch.setattr(listing, "PAGE", 2)
    _without_export(monkeypatch)
    app = await town.stranger("cleo")
    post = {"$type": "org.example.note", "text": "x" * 200_000}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": post["$type"], "record": post})
    assert await backfill(town.db, town.network, town.processor.here, parse_did(did)) == 5
    assert await _titles(town) == dict.fromkeys(uris, True)
    floor, was_read = await _repository(town, did)
    await app.procedure(
        "com.atproto.repo.deleteRecord", {"repo": did, "collection": EVENT, "rkey": uris[0].rpartition("/")[2]}
    )
    assert await backfill(town.db, town.network, town.processor.here, parse_did(did)) == 4
    assert await _titles(town) == dict.fromkeys(uris[1:], True)
    assert was_read
    assert (await _repository(town, did))[0] > floor


async def test_what_is_known_is_not_proven_again(town: Town):
    """A second reading asks for the listing alone, and for what changed."""
    did, uris = await _write(town, 5)
    asked: list[str] = []

    async def count(host: str) -> None:
        asked.append(host)

    await backfill(town.db, town.network, town.processor.here, parse_did(did), count)
    first = len(asked)
    await backfill(town.db, town.network, town.processor.here, parse_did(did), count)
    assert len(asked) - first == first - len(uris)


async def test_a_host_is_asked_within_its_budget_and_what_was_taken_stays(town: Town, monkeypatch: pytest.MonkeyPatch):
    """The rest is due when the host may be asked again, and no failure counts against it."""
    monkeypatch.setattr(backfilling, "BATCH", 2)
    did, uris = await _write(town, 5)
    spend = spending(InProcessCounters(), town.clock, Limit("records_asked_of_host", 5, 60))
    handlers = {JobKind.BACKFILL: HandlerOptions(backfill_handler(town.db, town.network, town.processor.here, spend))}
    async with town.db.transaction() as tx:
        await jobs.enqueue(tx, JobKind.BACKFILL, did, int(tx.now))
    await dispatcher.run_once(town.db, handlers)
    taken = len(await _titles(town))
    assert 0 < taken < len(uris)
    async with town.db.reader() as reader:
        job = await jobs.find(reader, JobKind.BACKFILL, did)
    assert job is not None
    assert (job.state, job.attempts) == (JobState.DUE, 0)
    assert job.due_at > town.clock.now()
    assert (await _repository(town, did))[0] == "", "a part is no whole"
    town.clock.turn(2 * MINUTE)
    await dispatcher.run_once(town.db, handlers)
    assert await _titles(town) == dict.fromkeys(uris, True)


async def test_a_record_that_cannot_be_proven_stands_aside(town: Town, monkeypatch: pytest.MonkeyPatch):
    """Its proof is larger than anybody reads; all others are taken, and nothing is history."""
    did, uris = await _write(town, 3)
    app = await town.stranger("cleo")
    large = {**RECORD, "note": random.Random(1).randbytes(100_000).hex()}
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": large})
    monkeypatch.setattr(read, "MAX_PROOF_BYTES", 70_000)
    await backfill(town.db, town.network, town.processor.here, parse_did(did))
    assert await _titles(town) == dict.fromkeys(uris, True)
    async with town.db.reader() as reader:
        assert [one.uri for one in await dead_letters.page(reader)] == [made["uri"]]
    assert (await _repository(town, did))[0] == ""


async def test_an_operator_may_have_the_whole_repository_fetched(town: Town, monkeypatch: pytest.MonkeyPatch):
    """In one piece; where it is too large, it is listed after all."""
    did, uris = await _write(town, 3)
    pay = backfill_handler(town.db, town.network, town.processor.here)
    subject = subject_of(parse_did(did), is_whole=True)
    await pay(Job("backfill", subject, 1, JobState.LEASED, 0, Instant(0), "", 1))
    assert await _titles(town) == dict.fromkeys(uris, True)
    more = await _more(town, did)
    _without_export(monkeypatch)
    await pay(Job("backfill", subject, 1, JobState.LEASED, 0, Instant(0), "", 1))
    assert await _titles(town) == dict.fromkeys([*uris, more], True)


async def _more(town: Town, did: str) -> str:
    app = await town.stranger("cleo")
    wish = {"repo": did, "collection": EVENT, "record": RECORD}
    return str((await app.procedure("com.atproto.repo.createRecord", wish))["uri"])


async def test_large_repositories_are_read_in_turn_and_small_ones_beside_them(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    """While somebody else's large one is in memory."""
    did, uris = await _write(town, 3)
    monkeypatch.setattr(read, "SMALL_REPOSITORY_BYTES", 100_000)
    app = await town.stranger("cleo")
    post = {"$type": "org.example.note", "text": "x" * 200_000}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": post["$type"], "record": post})
    dora = await town.connected("dora")
    async with town.network.large_reads:
        waits = asyncio.create_task(backfill_whole(town.db, town.network, town.processor.here, parse_did(did)))
        small = parse_did((await town.identity(dora.user_id)).did)
        assert await backfill_whole(town.db, town.network, town.processor.here, small) == 0
        assert not waits.done()
        assert await _titles(town) == {}
    assert await waits == 3
    assert await _titles(town) == dict.fromkeys(uris, True)


async def test_a_robots_calendar_is_not_read(town: Town, monkeypatch: pytest.MonkeyPatch):
    """More records than anybody has: nothing of it is taken, rather than a part that looks whole."""
    did, _ = await _write(town, 3)
    monkeypatch.setattr(listing, "PAGE", 1)
    monkeypatch.setattr(listing, "MAX_PAGES", 2)
    with pytest.raises(RemoteFailed, match="more than 2 records"):
        await listing.list_records(town.network, parse_did(did), [EVENT])


async def test_chosen_collections_are_read_and_nothing_else(town: Town, monkeypatch: pytest.MonkeyPatch):
    """What is there is taken and what is gone goes, of those alone; no history begins, and a whole read is as it was."""
    did, uris = await _write(town, 2)
    app = await town.stranger("cleo")
    answer = {"$type": RSVP, "status": f"{RSVP}#going", "subject": {"uri": uris[0], "cid": str(Cid.for_cbor(b"\xa0"))}}
    wish = {"repo": did, "collection": RSVP, "rkey": "3mqdau33ozs2n"}
    await app.procedure("com.atproto.repo.putRecord", {**wish, "record": answer})
    _without_export(monkeypatch)
    post = {"$type": "org.example.note", "text": "x" * 200_000}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": post["$type"], "record": post})
    await _pay_read(town, did, EVENT)
    assert await _titles(town) == dict.fromkeys(uris, True)
    assert await _answers(town) == 0
    await _pay_read(town, did, RSVP)
    assert await _answers(town) == 1
    await app.procedure("com.atproto.repo.deleteRecord", wish)
    key = uris[1].rpartition("/")[2]
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": EVENT, "rkey": key})
    await _pay_read(town, did, EVENT)
    assert list(await _titles(town)) == uris[:1]
    assert await _answers(town) == 1, "an answer is no event: its absence was not looked at"
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select floor_rev, synced_at from repositories where did = :did", did=did)
    assert row is None or (row["floor_rev"], row["synced_at"]) == ("", None)
    assert await backfill(town.db, town.network, town.processor.here, parse_did(did)) == 1
    assert await _answers(town) == 0


def test_a_collection_that_is_not_read_is_refused_with_those_that_are():
    """Before anybody is asked for anything."""
    assert chosen_collections([RSVP, EVENT, RSVP]) == (EVENT, RSVP)
    assert chosen_collections([]) == ()
    with pytest.raises(InvalidInput, match=rf"app\.bsky\.feed\.post is no collection .* {EVENT}"):
        chosen_collections([EVENT, "app.bsky.feed.post"])


async def _pay_read(town: Town, did: str, collection: Nsid) -> None:
    """As the publisher does what the command owes."""
    subject = subject_of(parse_did(did), [collection])
    pay = backfill_handler(town.db, town.network, town.processor.here)
    await pay(Job("backfill", subject, 1, JobState.LEASED, 0, Instant(0), "", 1))


async def _answers(town: Town) -> int:
    async with town.db.reader() as reader:
        return len(await reader.fetch("select id from attendances where record_uri is not null"))
