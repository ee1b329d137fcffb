"""Repositories that cannot be read whole, and finding who has a calendar on a host: against a real PDS."""

import asyncio

import pytest

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import Nsid
from groundwork.clock import Instant
from groundwork.errors import InvalidInput, RemoteFailed
from groundwork.outbox.owe import Debt, DebtState
from openmeet.identities import reading
from openmeet.ingestion import listing
from openmeet.ingestion.apply import apply
from openmeet.ingestion.backfill import backfill, backfill_payer, chosen_collections, subject_of
from openmeet.ingestion.listing import authors_on
from openmeet.records import seen
from openmeet.records.collections import EVENT, RSVP
from openmeet.records.message import RecordMessage
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


async def test_a_repository_too_large_is_read_by_its_calendar(town: Town, monkeypatch: pytest.MonkeyPatch):
    """Page by page, unsigned, as of the commit before; what is gone is gone; a whole read later overrules and signs."""
    did, uris = await _write(town, 5)
    with monkeypatch.context() as patched:
        patched.setattr(reading, "SMALL_REPOSITORY_BYTES", 50_000)
        patched.setattr(reading, "MAX_REPOSITORY_BYTES", 100_000)
        patched.setattr(listing, "PAGE", 2)
        app = await town.stranger("cleo")
        post = {"$type": "org.example.note", "text": "x" * 200_000}
        await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": post["$type"], "record": post})
        assert await backfill(town.db, town.network, town.processor.here, parse_did(did)) == 5
        assert await _titles(town) == dict.fromkeys(uris, False)
        await app.procedure(
            "com.atproto.repo.deleteRecord", {"repo": did, "collection": EVENT, "rkey": uris[0].rpartition("/")[2]}
        )
        assert await backfill(town.db, town.network, town.processor.here, parse_did(did)) == 4
        assert await _titles(town) == dict.fromkeys(uris[1:], False)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select floor_rev, synced_at from repositories where did = :did", did=did)
    assert row is not None
    assert (row["floor_rev"], row["synced_at"] is not None) == ("", True), "history begins with what is signed"
    assert await backfill(town.db, town.network, town.processor.here, parse_did(did)) == 4
    assert await _titles(town) == dict.fromkeys(uris[1:], True)


async def test_large_repositories_are_read_in_turn_and_small_ones_beside_them(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    """While somebody else's large one is in memory."""
    did, uris = await _write(town, 3)
    monkeypatch.setattr(reading, "SMALL_REPOSITORY_BYTES", 100_000)
    app = await town.stranger("cleo")
    post = {"$type": "org.example.note", "text": "x" * 200_000}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": post["$type"], "record": post})
    dora = await town.connected("dora")
    async with town.network.large_reads:
        waits = asyncio.create_task(backfill(town.db, town.network, town.processor.here, parse_did(did)))
        small = parse_did((await town.identity(dora.user_id)).did)
        assert await backfill(town.db, town.network, town.processor.here, small) == 0
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


async def test_who_has_a_calendar_on_a_host(town: Town, monkeypatch: pytest.MonkeyPatch):
    """By ``listReposByCollection``, over its pages."""
    did, _ = await _write(town, 1)
    await town.account("dora")
    monkeypatch.setattr(listing, "HOST_PAGE", 1)
    assert [one async for one in authors_on(town.network, town.pds_url, EVENT)] == [did]
    assert [one async for one in authors_on(town.network, town.pds_url, RSVP)] == []


async def test_what_is_read_unsigned_asks_for_no_proof_where_it_agrees(town: Town):
    """Signed rows stay signed; only where both differ is the repository asked."""
    did, uris = await _write(town, 1)
    await backfill(town.db, town.network, town.processor.here, parse_did(did))
    app = await town.stranger("cleo")
    changed = {
        "repo": did,
        "collection": EVENT,
        "rkey": uris[0].rpartition("/")[2],
        "record": {**RECORD, "name": "New"},
    }
    rev, messages = await listing.list_records(town.network, parse_did(did), [EVENT])
    await _apply(town, messages)
    assert await _owed(town) == []
    await app.procedure("com.atproto.repo.putRecord", changed)
    later, messages = await listing.list_records(town.network, parse_did(did), [EVENT])
    assert later > rev
    await _apply(town, messages)
    assert await _owed(town) == uris
    async with town.db.reader() as reader:
        known = await seen.find(reader, uris[0])
    assert known is not None
    assert known.is_verified


async def _apply(town: Town, messages: list[RecordMessage]) -> None:
    async with town.db.transaction() as tx:
        await apply(tx, town.processor.here, messages)


async def _owed(town: Town) -> list[str]:
    async with town.db.reader() as reader:
        return [row["subject"] for row in await reader.fetch("select subject from debts where kind = 'prove_record'")]


@pytest.mark.parametrize("is_large", [False, True])
async def test_chosen_collections_are_read_and_nothing_else(
    town: Town, monkeypatch: pytest.MonkeyPatch, is_large: bool
):
    """What is there is taken and what is gone goes, of those alone; no history begins, and a whole read is as it was."""
    did, uris = await _write(town, 2)
    app = await town.stranger("cleo")
    answer = {"$type": RSVP, "status": f"{RSVP}#going", "subject": {"uri": uris[0], "cid": str(Cid.for_cbor(b"\xa0"))}}
    wish = {"repo": did, "collection": RSVP, "rkey": "3mqdau33ozs2n"}
    await app.procedure("com.atproto.repo.putRecord", {**wish, "record": answer})
    if is_large:
        monkeypatch.setattr(reading, "SMALL_REPOSITORY_BYTES", 50_000)
        monkeypatch.setattr(reading, "MAX_REPOSITORY_BYTES", 100_000)
    post = {"$type": "org.example.note", "text": "x" * 200_000}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": post["$type"], "record": post})
    await _pay_read(town, did, EVENT)
    assert await _titles(town) == dict.fromkeys(uris, not is_large)
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
    pay = backfill_payer(town.db, town.network, town.processor.here)
    await pay(Debt("backfill", subject, 1, DebtState.LEASED, 0, Instant(0), "", 1))


async def _answers(town: Town) -> int:
    async with town.db.reader() as reader:
        return len(await reader.fetch("select id from attendances where record_uri is not null"))
