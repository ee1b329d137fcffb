"""Files follow their rows: none is missing while a row exists, and all are gone once nothing refers to them."""

import asyncio
import random
from pathlib import Path

import pytest

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from aurora_locus.blobs import removals
from aurora_locus.blobs.queries import find, list_missing
from aurora_locus.blobs.removals import CLAIM
from aurora_locus.blobs.sweep import SHORTEST_GRACE, sweep, sweep_all
from aurora_locus.blobs.uploads import object_name, quarantine_name
from aurora_locus.repository.repositories import Repositories
from groundwork.blobstore.contract import put
from groundwork.clock import HOUR, MINUTE, SECOND, HandClock
from groundwork.database.transaction import Database, Writer
from groundwork.errors import Failure, NotFound, Refused, Unavailable
from tests.aurora_locus.blobs.uploading import has_file, make_old, refer, send
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.hosted_repository import HostedRepository

PICTURE = b"a picture " * 300


async def removals_due(db: Database) -> int:
    async with db.reader() as reader:
        return len(await reader.fetch("select did from blob_removals"))


async def test_file_is_removed_with_its_last_reference(ada: HostedRepository, db: Database):
    blob = await send(ada, PICTURE)
    await refer(ada, "one", blob)
    await refer(ada, "two", blob)
    await ada.delete("one")
    assert await has_file(ada, blob.cid)
    await ada.delete("two")
    assert not await has_file(ada, blob.cid)
    assert await removals_due(db) == 0


async def test_full_sweep_counts_the_files_that_it_removes(
    ada: HostedRepository, clock: HandClock, monkeypatch: pytest.MonkeyPatch
):
    """The result of a full sweep contains the queued files, among them those of old uploads."""
    deleted = await send(ada, PICTURE)
    await refer(ada, "one", deleted)
    monkeypatch.setattr(ada.repositories.blobs, "remove_files_soon", lambda *_: None)
    await ada.delete("one")
    await send(ada, b"never used")
    clock.turn(7 * HOUR)
    swept = await sweep_all(ada.repositories.blobs, clock.now())
    assert (swept.uploads, swept.files, swept.orphans) == (1, 2, 0)


async def test_interrupted_removal_is_completed_by_the_next_sweep(
    ada: HostedRepository, db: Database, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A file whose removal was interrupted is removed at the next sweep: the removal is a row written by the
    transaction that deleted the blob's row.
    """
    blob = await send(ada, PICTURE)
    await refer(ada, "one", blob)
    # killed before the removal begins
    monkeypatch.setattr(ada.repositories.blobs, "remove_files_soon", lambda *_: None)
    await ada.delete("one")
    assert await has_file(ada, blob.cid)
    after = await assemble(db, clock, tmp_path)
    await sweep(after.blobs, clock.now())
    assert not await has_file(ada, blob.cid)
    assert await removals_due(db) == 0


async def test_upload_during_a_removal_is_refused(ada: HostedRepository, db: Database, clock: HandClock):
    """While another process removes a file, uploading it again is refused with a request to retry, and succeeds
    afterwards.
    """
    blob = await send(ada, PICTURE)
    clock.turn(7 * HOUR)

    def claim(w: Writer) -> list[Cid]:
        w.execute("delete from blobs")
        removals.enqueue(w, ada.did, [blob.cid])
        return removals.claim(w, ada.did, [blob.cid])

    assert await db.write(claim) == [blob.cid]
    with pytest.raises(Unavailable, match="Upload it again"):
        await send(ada, PICTURE)
    assert await find(db, ada.did, blob.cid) is None
    clock.turn(CLAIM + SECOND)  # the process that claimed it ended long ago
    await send(ada, PICTURE)
    await sweep(ada.repositories.blobs, clock.now())
    assert await has_file(ada, blob.cid)


async def test_upload_cancels_a_pending_removal(ada: HostedRepository, db: Database, clock: HandClock):
    blob = await send(ada, PICTURE)

    def drop(w: Writer) -> None:
        w.execute("delete from blobs")
        removals.enqueue(w, ada.did, [blob.cid])

    await db.write(drop)
    await send(ada, PICTURE)
    await sweep_all(ada.repositories.blobs, clock.now())
    assert await has_file(ada, blob.cid)
    assert await removals_due(db) == 0


async def test_no_file_is_removed_while_pinned(ada: HostedRepository, db: Database, clock: HandClock):
    """While a pin is held no file is removed, so that a backup finds every file of the rows that it has read."""
    blob = await send(ada, PICTURE)
    await refer(ada, "one", blob)
    await removals.pin(db, "a backup", 10 * MINUTE)
    await ada.delete("one")
    await sweep(ada.repositories.blobs, clock.now())
    assert await has_file(ada, blob.cid)
    await removals.unpin(db, "a backup")
    await sweep(ada.repositories.blobs, clock.now())
    assert not await has_file(ada, blob.cid)


@pytest.mark.parametrize(
    ("age", "grace", "stays"), [(59 * MINUTE, 0, True), (61 * MINUTE, 0, False), (5 * HOUR, 6 * HOUR, True)]
)
async def test_upload_is_kept_for_an_hour(ada: HostedRepository, clock: HandClock, age: int, grace: int, stays: bool):
    """An upload is kept for at least an hour, even if a shorter grace period is configured."""
    blob = await send(ada, PICTURE)
    clock.turn(age)
    await sweep(ada.repositories.blobs, clock.now(), grace)
    assert await has_file(ada, blob.cid) is stays


async def test_old_files_without_a_row_are_removed(ada: HostedRepository, clock: HandClock, tmp_path: Path):
    """Old files without a row are removed. A new one may belong to an upload whose row is just being written."""
    store = ada.repositories.blobs.store
    known = await send(ada, PICTURE)
    orphan, web = Cid.for_raw(b"orphan"), Did("did:web:localhost%3A99")
    await put(store, object_name(ada.did, orphan), b"orphan")
    await put(store, object_name(web, orphan), b"orphan")
    await put(store, "somebody.else/left-this", b"?")
    assert (await sweep_all(ada.repositories.blobs, clock.now())).orphans == 0
    make_old(tmp_path / "blobs")
    assert (await sweep_all(ada.repositories.blobs, clock.now())).orphans == 2
    assert sorted([stored.key async for stored in store.list()]) == sorted(
        [object_name(ada.did, known.cid), "somebody.else/left-this"]
    )


async def test_takedown_moves_the_file_to_quarantine_and_back(ada: HostedRepository, db: Database, clock: HandClock):
    """A takedown moves the file to quarantine, and lifting it restores the file. Meanwhile nobody can upload it again."""
    blob = await send(ada, PICTURE)
    await refer(ada, "one", blob)
    blobs = ada.repositories.blobs
    await db.write(lambda w: w.execute("update blobs set takedown_ref = 'x'"))
    assert (await sweep_all(blobs, clock.now())).moved == 1
    assert not await has_file(ada, blob.cid)
    assert await blobs.store.size(quarantine_name(ada.did, blob.cid)) == len(PICTURE)
    with pytest.raises(Refused, match="taken down"):
        await send(ada, PICTURE)
    await db.write(lambda w: w.execute("update blobs set takedown_ref = null"))
    assert (await sweep_all(blobs, clock.now())).moved == 1
    assert await has_file(ada, blob.cid)
    assert (await sweep_all(blobs, clock.now())).moved == 0


async def test_a_deleted_account_leaves_no_file(ada: HostedRepository, db: Database, clock: HandClock):
    """A deleted account leaves no file, even in quarantine."""
    from aurora_locus.repository import hosting  # for this test only

    kept, hidden = await send(ada, PICTURE), await send(ada, b"hidden")
    await refer(ada, "one", kept, hidden)
    await db.write(lambda w: w.execute("update blobs set takedown_ref = 'x' where cid = :cid", cid=bytes(hidden.cid)))
    await sweep_all(ada.repositories.blobs, clock.now())
    await db.write(lambda w: hosting.remove(w, ada.repositories, ada.did))
    await ada.repositories.blobs.wait_for_removals()
    assert [stored.key async for stored in ada.repositories.blobs.store.list()] == []
    assert await removals_due(db) == 0


async def test_missing_blobs_are_listed_until_they_come(ada: HostedRepository, db: Database):
    """After an import, missing blobs are listed until they are uploaded; each is public at once."""
    from aurora_locus.blobs.references import add_imported_references  # for this test only

    cid = Cid.for_raw(PICTURE)
    row = {"did": ada.did, "collection": "org.example.note", "rkey": "a", "cid": bytes(cid)}
    await db.write(lambda w: add_imported_references(w, ada.did, [row]))
    (missing,) = await list_missing(db, ada.did, cursor=None, limit=10)
    assert missing == (cid, "org.example.note", "a")
    await send(ada, PICTURE)
    assert await list_missing(db, ada.did, cursor=None, limit=10) == []
    stored = await find(db, ada.did, cid)
    assert stored is not None
    assert stored.is_public


@pytest.mark.parametrize("seed", range(3))
async def test_concurrent_sweeps_never_remove_a_referenced_blob(
    repositories: Repositories, db: Database, clock: HandClock, tmp_path: Path, seed: int
):
    """Sweeps in two processes at the very end of the grace period never remove a blob that an accepted record refers
    to.

    Uploads, records, deletions and sweeps run concurrently. Each record is either refused with an error name or finds
    its blob as long as it exists.
    """
    chance = random.Random(seed)
    ada = await HostedRepository.make(repositories, "ada")
    other = HostedRepository(await assemble(db, clock, tmp_path), ada.did, ada.key)
    pictures = [f"picture {number} ".encode() * 50 for number in range(4)]
    referenced: dict[str, Cid] = {}
    written = 0

    async def person(who: HostedRepository, name: str) -> None:
        nonlocal written
        for number in range(12):
            await asyncio.sleep(0)
            content = chance.choice(pictures)
            rkey = f"{name}{number}"
            try:
                blob = await send(who, content)
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                await refer(who, rkey, blob)
            except (NotFound, Unavailable):
                continue
            referenced[rkey] = blob.cid
            written += 1
            if chance.random() < 0.6:
                victim = chance.choice(list(referenced))
                if referenced.pop(victim, None) is not None:
                    await who.delete(victim)

    async def sweeper(who: Repositories) -> None:
        for _ in range(10):
            clock.turn(SHORTEST_GRACE + SECOND)
            await sweep(who.blobs, clock.now(), 0)

    await asyncio.gather(
        person(ada, "a"),
        person(other, "b"),
        sweeper(repositories),
        sweeper(other.repositories),
        return_exceptions=False,
    )
    clock.turn(2 * CLAIM)
    for who in (repositories, other.repositories):
        await who.blobs.wait_for_removals()
        await sweep(who.blobs, clock.now(), 0)
    assert written > 0
    for rkey, cid in referenced.items():
        stored = await find(db, ada.did, cid)
        assert stored is not None, f"{rkey} lost the row of {cid}, seed {seed}"
        assert stored.is_public
        assert await has_file(ada, cid), f"{rkey} lost the file of {cid}, seed {seed}"
    left = {stored.key async for stored in repositories.blobs.store.list()}
    assert left == {object_name(ada.did, cid) for cid in referenced.values()}


async def test_failure_of_the_store_leaves_the_removal_pending(
    ada: HostedRepository, db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
):
    """If the store is unavailable, the removal stays pending and is done later."""
    blob = await send(ada, PICTURE)
    await refer(ada, "one", blob)
    store = ada.repositories.blobs.store

    async def away(_key: str) -> bool:
        raise Unavailable("The store is away.")

    with monkeypatch.context() as patched:
        patched.setattr(store, "delete", away)
        await ada.delete("one")
        await ada.repositories.blobs.wait_for_removals()
    assert await has_file(ada, blob.cid)
    clock.turn(CLAIM + SECOND)
    await sweep(ada.repositories.blobs, clock.now())
    assert not await has_file(ada, blob.cid)
    assert issubclass(Unavailable, Failure)
