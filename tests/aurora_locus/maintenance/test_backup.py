"""Backups: consistent while people write, unreadable without the passphrase, and verified before they count."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aurora_locus.maintenance import backup, history, integrity, verification
from aurora_locus.maintenance.manifest import read_manifest
from aurora_locus.maintenance.vault import DATABASE, open_backup_store, open_vault, part_name
from aurora_locus.repository.repositories import Repositories
from groundwork.blobstore.contract import put
from groundwork.blobstore.disk import DiskBlobStore, DiskUpload
from groundwork.blobstore.open_ import Bucket
from groundwork.clock import SECOND, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import Conflict, Explanation, InvalidInput, NotFound, Refused, Unavailable
from tests.aurora_locus.blobs.uploading import has_file, refer, send
from tests.aurora_locus.hosted_repository import HostedRepository
from tests.aurora_locus.maintenance.vaults import Place, fill, source_of, vault_in


@pytest.fixture
def source(repositories: Repositories, place: Place, tmp_path: Path) -> backup.BackupSource:
    return source_of(place.url, repositories, tmp_path / "scratch")


async def states(db: Database) -> list[tuple[str, Explanation | None]]:
    async with db.reader() as reader:
        return [(one.state, one.reason) for one in await history.newest(reader)]


async def test_backup_during_writes_is_consistent(
    repositories: Repositories, db: Database, source: backup.BackupSource, clock: HandClock, tmp_path: Path
):
    """Every backup made while people write is verified and from one moment; records, pictures and deletions never stop."""
    people = [await HostedRepository.make(repositories, name) for name in ("ada", "ben", "carl")]
    vault = vault_in(tmp_path / "vault")
    stop = asyncio.Event()
    written = 0

    async def write(person: HostedRepository) -> None:
        nonlocal written
        number = 0
        while not stop.is_set():
            number += 1
            clock.turn(1000)
            picture = await send(person, f"picture {number} of {person.did}".encode() * 40)
            await refer(person, f"p{number}", picture)
            if number > 3:
                await person.delete(f"p{number - 3}")
            written += 1

    writing = [asyncio.create_task(write(person)) for person in people]
    counts = []
    for _ in range(3):
        before = written
        made = await backup.take(db, source, vault, clock)
        assert made.missing == []
        counts.append(written - before)
        clock.turn(SECOND)
    stop.set()
    await asyncio.gather(*writing)
    assert all(counts), "no write happened during a backup"
    assert [state for state, _ in await states(db)] == ["done"] * 3
    for name in await vault.backup_ids():
        report = await verification.verify(
            vault, await read_manifest(vault, name), tmp_path / "proofs", backup.silently
        )
        assert report.findings == []
        assert report.repositories == 3


async def test_blobs_are_sent_once(
    ada: HostedRepository, db: Database, source: backup.BackupSource, clock: HandClock, tmp_path: Path
):
    await fill(ada, blobs=3)
    vault = vault_in(tmp_path / "vault")
    first = await backup.take(db, source, vault, clock)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "vault" / "blobs").rglob("*") if path.is_file()}
    clock.turn(SECOND)
    await refer(ada, "one more", await send(ada, b"one more picture" * 1000))
    second = await backup.take(db, source, vault, clock)
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "vault" / "blobs").rglob("*") if path.is_file()}
    assert (first.blobs, second.blobs) == (3, 4)
    assert written.items() <= after.items()
    assert len(after) == 4


async def test_backup_is_encrypted(
    ada: HostedRepository, db: Database, source: backup.BackupSource, clock: HandClock, tmp_path: Path
):
    """A backup reveals neither text of records, nor pictures, nor their owners, nor keys."""
    await ada.create("a", "a very private thought")
    await refer(ada, "b", await send(ada, b"a very private picture" * 50))
    await backup.take(db, source, vault_in(tmp_path / "vault"), clock)
    files = [path for path in (tmp_path / "vault").rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        stored = path.read_bytes() + str(path).encode()
        for secret in (b"private", ada.did.encode(), source.secrets["sealing_keys"].encode(), b"aurora"):
            assert secret not in stored, path
    assert not list((tmp_path / "scratch").iterdir())


async def test_another_passphrase_is_refused_and_the_right_one_opens(tmp_path: Path):
    store = open_backup_store(str(tmp_path / "vault"), Bucket(""))
    with pytest.raises(NotFound, match="no backups"):
        await open_vault(store, "right horse")
    made = await open_vault(store, "right horse", new_salt=b"salt")
    assert (await open_vault(store, "right horse", new_salt=b"salt")).master == made.master
    with pytest.raises(Refused, match="another passphrase"):
        await open_vault(store, "wrong horse", new_salt=b"salt")
    await put(store, "vault", b"something else")
    with pytest.raises(Refused, match="does not contain backups"):
        await open_vault(store, "right horse")


@pytest.mark.parametrize("url", ["ftp://somewhere/x", "s3://", "https://bucket.example/x"])
def test_invalid_places_are_refused(url: str):
    with pytest.raises(InvalidInput, match="s3://bucket/folder"):
        open_backup_store(url, Bucket(""))


async def test_only_one_backup_runs_at_a_time(
    ada: HostedRepository, db: Database, source: backup.BackupSource, clock: HandClock, tmp_path: Path
):
    """Only one backup is made at a time: a second one is refused, unless the first has not reported for a while because
    its process died.
    """
    vault = vault_in(tmp_path / "vault")
    outcomes = await asyncio.gather(*(backup.take(db, source, vault, clock) for _ in range(3)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "Conflict", "Manifest"]
    await history.begin(db, "died")
    with pytest.raises(Conflict, match="already running"):
        await backup.take(db, source, vault, clock)
    clock.turn(history.SILENCE + SECOND)
    await backup.take(db, source, vault, clock)
    assert ("failed", history.BackupReason.INTERRUPTED()) in await states(db)


async def test_unavailable_place_fails_the_backup_and_leaves_nothing(
    ada: HostedRepository, db: Database, source: backup.BackupSource, clock: HandClock, tmp_path: Path
):
    """If the place is unavailable, the backup fails and leaves nothing. The failure is recorded, files may be removed
    again, and the next backup succeeds.
    """
    await fill(ada)
    store = _Filling(tmp_path / "vault", room=1_000)
    vault = vault_in(store)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await backup.take(db, source, vault, clock)
        store.room = 5_000
        clock.turn(SECOND)
    assert await vault.backup_ids() == []
    assert not [stored async for stored in vault.store.list("backups")]
    assert {state for state, _ in await states(db)} == {"failed"}
    async with db.reader() as reader:
        assert await history.last_backup(reader) is None
        assert await reader.fetch("select * from blob_pins") == []
    store.room = 10_000_000
    made = await backup.take(db, source, vault, clock)
    assert await vault.backup_ids() == [made.id]


class _Filling(DiskBlobStore):
    """A disk with limited space."""

    def __init__(self, root: Path, room: int) -> None:
        super().__init__(root)
        self.room = room

    @asynccontextmanager
    async def upload(self) -> AsyncIterator[DiskUpload]:
        async with super().upload() as upload:
            write = upload.write

            async def limited(piece: bytes) -> None:
                self.room -= len(piece)
                if self.room < 0:
                    raise Unavailable("The blob cannot be stored at the moment.")
                await write(piece)

            upload.write = limited  # type: ignore[method-assign]
            yield upload


async def test_cancelled_backup_does_not_count(
    ada: HostedRepository, db: Database, source: backup.BackupSource, clock: HandClock, tmp_path: Path
):
    """A backup cancelled while it reads, sends or verifies (the server stops) does not count."""
    await fill(ada)
    vault = vault_in(tmp_path / "vault")
    for stage in ("database", "blobs", "reading back", "checking"):
        reached = asyncio.Event()

        def tell(what: str, _done: int, _of: int, stage: str = stage, reached: asyncio.Event = reached) -> None:
            if what == stage:
                reached.set()

        task = asyncio.create_task(backup.take(db, source, vault, clock, progress=tell))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await vault.backup_ids() == [], stage
        assert not list((tmp_path / "scratch").iterdir()), stage
        clock.turn(SECOND)
    await backup.take(db, source, vault, clock)


@pytest.mark.parametrize("part", [DATABASE, "blobs"])
async def test_a_damaged_backup_is_noticed(
    ada: HostedRepository, db: Database, source: backup.BackupSource, clock: HandClock, tmp_path: Path, part: str
):
    """A damaged backup is detected; here one bit was flipped."""
    await fill(ada)
    vault = vault_in(tmp_path / "vault")
    made = await backup.take(db, source, vault, clock)
    path = tmp_path / "vault" / part_name(made.id, part)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(Refused, match="damaged"):
        await verification.verify(vault, made, tmp_path / "proofs", backup.silently)


async def test_a_damaged_blob_is_found(
    ada: HostedRepository, db: Database, source: backup.BackupSource, clock: HandClock, tmp_path: Path
):
    await fill(ada, blobs=1)
    vault = vault_in(tmp_path / "vault")
    made = await backup.take(db, source, vault, clock)
    (path,) = (path for path in (tmp_path / "vault" / "blobs").rglob("*") if path.is_file())
    kept = path.read_bytes()
    path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    report = await verification.verify(vault, made, tmp_path / "proofs", backup.silently)
    assert [finding.about for finding in report.findings] == [ada.did]
    path.unlink()
    report = await verification.verify(vault, made, tmp_path / "proofs", backup.silently)
    assert "has no file" in report.findings[0].what


async def test_missing_file_is_reported_and_the_rest_is_backed_up(
    ada: HostedRepository, db: Database, source: backup.BackupSource, clock: HandClock, tmp_path: Path
):
    """A missing file is reported and the rest is backed up, because a damaged server needs a backup even more."""
    blob = await send(ada, b"picture")
    await refer(ada, "a", blob)
    store = ada.repositories.blobs.store
    assert await has_file(ada, blob.cid)
    await store.delete(f"{ada.did}/{blob.cid}")
    made = await backup.take(db, source, vault_in(tmp_path / "vault"), clock)
    assert made.missing == [f"{ada.did}/{blob.cid}"]
    report = await integrity.examine(db, integrity.in_store(store))
    assert [finding.what for finding in report.findings] == [f"The blob {blob.cid} has no file."]
