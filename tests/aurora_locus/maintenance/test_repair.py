"""Damage is found and named, repairable damage is repaired, and what is lost is reported as lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.repo.commit import sign_commit
from at_protocol.sync import verify
from at_protocol.sync.events import SyncMessage
from aurora_locus.blobs.uploads import object_name
from aurora_locus.maintenance import integrity
from aurora_locus.maintenance.repair import repair
from aurora_locus.repository import reader
from aurora_locus.repository.model import HostingStatus
from aurora_locus.repository.nodes import DamagedRepository
from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer.retention import retire
from groundwork.blobstore.contract import put
from groundwork.clock import DAY, HOUR, HandClock, Instant
from groundwork.database.transaction import Database
from groundwork.errors import NotFound
from tests.aurora_locus.blobs.uploading import refer, send
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository, messages
from tests.aurora_locus.maintenance.vaults import fill


async def run(db: Database, sql: str, **values: Any) -> int:
    return await db.write(lambda w: w.execute(sql, **values))


async def findings(db: Database, person: HostedRepository) -> list[str]:
    report = await integrity.examine(db, integrity.in_store(person.repositories.blobs.store))
    assert {one.about for one in report.findings} <= {person.did, "events", "accounts"}
    return [one.what for one in report.findings]


async def test_busy_server_has_no_damage(
    repositories: Repositories, ada: HostedRepository, ben: HostedRepository, db: Database
):
    """A busy server without damage is reported as such, and everything is counted: creations, updates, deletions, the
    same record twice, pictures.
    """
    await fill(ada, records=40, blobs=3)
    await ada.put("r1", "changed")
    await ada.delete("r2")
    await ada.create("same", "twice")
    await ben.create("same", "twice")
    await ada.create("again", "twice")
    report = await integrity.examine(db, integrity.in_store(repositories.blobs.store))
    assert report.findings == []
    assert (report.repositories, report.records, report.blobs, report.missing_blobs) == (2, 45, 3, 0)


DAMAGES = {
    "index lacks": ("delete from records where rkey = 'r1'", "The record index lacks 1 paths"),
    "index has more": (
        (
            "insert into records (did, collection, rkey, cid, rev) select did, collection, 'ghost', cid, rev "
            "from records where rkey = 'r1'"
        ),
        "has, but the tree lacks, 1 paths",
    ),
    "index says other": (
        "update records set cid = (select cid from records where rkey = 'r2') where rkey = 'r1'",
        "has a different CID for 1 paths",
    ),
    "head's revision": ("update repositories set rev = '3aaaaaaaaaa22'", "a different revision or root"),
    "counts": (
        "update blocks set uses = 5 where cid in (select cid from records where rkey = 'r1')",
        "a wrong reference count",
    ),
    "references": ("delete from blob_references", "References to blobs"),
    "a node": ("delete from blocks where cid = (select data from repositories)", "is missing"),
    "bytes of a node": (
        "update blocks set bytes = :junk where cid = (select data from repositories)",
        "do not match its CID",
    ),
    "the commit": ("delete from blocks where cid = (select head from repositories)", "is missing"),
    "a blob counted as temporary": ("update blobs set state = 'temporary'", "still marked as temporary"),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found_and_repaired(
    ada: HostedRepository, db: Database, clock: HandClock, tmp_path: Path, damage: str
):
    """Damage of the index or of the tree is repaired from the other one without loss. A new commit announces it, and
    verifies.
    """
    await fill(ada, records=30)
    before = await reader.all_entries(db, ada.did)
    sql, said = DAMAGES[damage]
    await run(db, sql, **({"junk": b"\xa0"} if ":junk" in sql else {}))
    found = await findings(db, ada)
    assert any(said in what for what in found), found

    fresh = await assemble(db, clock, tmp_path)
    done = await repair(fresh, ada.did)

    assert (done.lost, done.missing_blobs) == ((), ())
    assert done.from_tree is (damage not in ("a node", "bytes of a node"))
    assert await findings(db, ada) == []
    assert await reader.all_entries(db, ada.did) == before
    (*_, told) = await messages(db, ada.did)
    assert isinstance(told, SyncMessage)
    verify.verify_sync_message(told, ada.key.public, now_us=clock.now())
    await HostedRepository(fresh, ada.did, ada.key).create("after", "the repair")
    assert await findings(db, ada) == []


async def test_lost_record_is_named(ada: HostedRepository, db: Database, clock: HandClock, tmp_path: Path):
    await fill(ada)
    await run(db, "delete from blocks where cid = (select cid from records where rkey = 'r3')")
    assert any("is missing" in what for what in await findings(db, ada))
    done = await repair(await assemble(db, clock, tmp_path), ada.did)
    assert done.lost == (f"{NOTE}/r3",)
    assert await findings(db, ada) == []


async def test_a_blob_without_file_can_be_uploaded_again(ada: HostedRepository, db: Database):
    blob = await send(ada, b"a picture")
    await refer(ada, "a", blob)
    store = ada.repositories.blobs.store
    await store.delete(f"{ada.did}/{blob.cid}")
    assert await findings(db, ada) == [f"The blob {blob.cid} has no file."]
    done = await repair(ada.repositories, ada.did)
    assert done.missing_blobs == (blob.cid,)
    assert await findings(db, ada) == []
    await send(ada, b"a picture")
    report = await integrity.examine(db, integrity.in_store(store))
    assert (report.findings, report.missing_blobs) == ([], 0)


async def test_wrong_signature_is_found_and_replaced(ada: HostedRepository, db: Database):
    """A wrong signature is found and the head is signed again. The key in the database is not the one that signed, for
    example after an interrupted rotation.
    """
    await fill(ada)
    head = await ada.repositories.head(ada.did)
    forged = sign_commit(K256PrivateKey.from_random(b"x" * 64), did=ada.did, rev=head.rev, data=head.data)

    def work(w: Any) -> None:
        w.execute(
            "update blocks set cid = :cid, bytes = :b where cid = :old",
            cid=bytes(forged.cid),
            b=forged.block,
            old=bytes(head.commit),
        )
        w.execute("update repositories set head = :cid", cid=bytes(forged.cid))

    await db.write(work)
    assert any("signature" in what for what in await findings(db, ada))
    await repair(ada.repositories, ada.did)
    assert await findings(db, ada) == []


async def test_impossible_sequence_numbers_are_found(ada: HostedRepository, db: Database):
    await fill(ada)
    await run(db, "update sequencer set last = 1")
    assert any("above the last number" in what for what in await findings(db, ada))
    await run(db, "update sequencer set last = 1000, retired_up_to = 3")
    assert any("removed by retention" in what for what in await findings(db, ada))


async def test_announcement_that_does_not_match_the_head_is_found(ada: HostedRepository, db: Database):
    """An announcement that does not match the head is found, as if a commit had been made without its event (invariant
    2).
    """
    await fill(ada)
    await run(db, "delete from events where seq = (select max(seq) from events)")
    assert "Its last announcement is not about its head." in await findings(db, ada)


async def test_truncated_frame_is_found(ada: HostedRepository, db: Database):
    await fill(ada)
    seq = (await messages(db, ada.did))[2].seq
    await run(db, "update events set frame = substr(frame, 1, 100) where seq = :seq", seq=seq)
    assert any(f"Event {seq} of {ada.did} cannot be read" in what for what in await findings(db, ada))


async def test_deleted_event_is_found(ada: HostedRepository, db: Database):
    """A deleted event is detected by the next event, which names the revision that it follows."""
    for number in range(4):
        await ada.create(f"r{number}", "a note")
    seq = (await messages(db, ada.did))[-2].seq
    await run(db, "delete from events where seq = :seq", seq=seq)
    assert any("one is missing" in what for what in await findings(db, ada))


async def test_head_without_any_event_is_found(
    ada: HostedRepository, ben: HostedRepository, db: Database, clock: HandClock
):
    clock.turn(HOUR)
    await fill(ada)
    await run(db, "delete from events where did = :did", did=ada.did)
    assert "Its head was never announced, or the event is gone." in await findings(db, ada)


async def test_events_removed_by_retention_are_not_reported_missing(
    ada: HostedRepository, ben: HostedRepository, db: Database, clock: HandClock
):
    await fill(ada)
    clock.turn(DAY)
    await ben.create("late", "later")
    await retire(db, Instant(clock.now() - HOUR))
    assert await findings(db, ada) == []


@pytest.mark.parametrize("spoil", [lambda content: content[:-1], lambda content: bytes([content[0] ^ 1]) + content[1:]])
async def test_damaged_blob_file_is_found_and_removed(
    ada: HostedRepository, db: Database, spoil: Callable[[bytes], bytes]
):
    """A damaged blob file, shorter or with a flipped bit, is found and removed. The blob can then be uploaded again."""
    content = b"a picture " * 20
    blob = await send(ada, content)
    await refer(ada, "r", blob)
    store = ada.repositories.blobs.store
    await put(store, object_name(ada.did, blob.cid), spoil(content))
    report = await integrity.examine(db, integrity.in_store(store, reads=True))
    assert any("is damaged" in one.what for one in report.findings)

    done = await repair(ada.repositories, ada.did)

    assert done.missing_blobs == (blob.cid,)
    with pytest.raises(NotFound):
        await store.size(object_name(ada.did, blob.cid))
    await send(ada, content)
    report = await integrity.examine(db, integrity.in_store(store, reads=True))
    assert (report.findings, report.missing_blobs) == ([], 0)


async def test_repairing_an_intact_repository_only_adds_a_commit(ada: HostedRepository, db: Database):
    await fill(ada)
    head, before = await ada.repositories.head(ada.did), await reader.all_entries(db, ada.did)
    done = await repair(ada.repositories, ada.did)
    after = await ada.repositories.head(ada.did)
    assert (after.data, after.status) == (head.data, HostingStatus.ACTIVE)
    assert done.rev == after.rev > head.rev
    assert await reader.all_entries(db, ada.did) == before


async def test_an_empty_repository(ada: HostedRepository, db: Database):
    await run(db, "delete from blocks where cid = (select data from repositories)")
    await repair(ada.repositories, ada.did)
    assert await findings(db, ada) == []


async def test_unknown_account_is_not_found(repositories: Repositories):
    with pytest.raises(NotFound):
        await repair(repositories, HostedRepository.named(repositories, "nobody").did)


async def test_error_for_a_damaged_tree_names_the_remedy(
    ada: HostedRepository, db: Database, clock: HandClock, tmp_path: Path
):
    await fill(ada)
    await run(db, "delete from blocks where cid = (select data from repositories)")
    fresh = HostedRepository(await assemble(db, clock, tmp_path), ada.did, ada.key)
    with pytest.raises(DamagedRepository, match="openmeet pds verify"):
        await fresh.create("x")
