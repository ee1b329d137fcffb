"""A lost PDS is restored: the data of its people are there, and followers can continue."""

import asyncio
from pathlib import Path

import pytest

from at_protocol.sync import events, verify
from at_protocol.sync.events import AccountMessage, CommitMessage, SyncMessage
from at_protocol.syntax.handle import parse_handle
from aurora_locus.accounts import queries
from aurora_locus.accounts.account_requests import UnannouncedReason
from aurora_locus.blobs.uploads import BlobService, UploadLimits
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.maintenance import backup, history, integrity, restore
from aurora_locus.maintenance.manifest import read_manifest
from aurora_locus.maintenance.restore import SKIPPED_NUMBERS
from aurora_locus.repository import hosting, reader
from aurora_locus.repository.model import HostingStatus
from aurora_locus.repository.repositories import Repositories, open_repositories
from aurora_locus.sequencer.live_events import open_live
from aurora_locus.settings import SCHEMA
from groundwork.clock import MINUTE, HandClock
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database, Engine, Writer
from groundwork.errors import Refused
from groundwork.sealing import Sealer
from tests.aurora_locus.blobs.uploading import refer, send
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository, frames_after, messages
from tests.aurora_locus.maintenance.vaults import FRESH_KEY, Place, fill, source_of, target_of, vault_in
from tests.s3_buckets import MakeBucket


async def reopen(url: str, clock: HandClock, folder: Path) -> tuple[Database, Repositories]:
    """Open the restored PDS as its next start would."""
    db = await open_database(url, schema=SCHEMA, clock=clock)
    target = target_of(url, folder)
    blobs = BlobService(db, target.store, UploadLimits())
    keys = SigningKeys(db, Sealer([FRESH_KEY]))
    return db, await open_repositories(db, await open_live(db), keys, blobs, clock, clock_id=3)


async def test_restored_data_is_complete_and_writable(
    repositories: Repositories,
    ada: HostedRepository,
    ben: HostedRepository,
    db: Database,
    place: Place,
    clock: HandClock,
    tmp_path: Path,
):
    """A restored PDS has all records, blobs and keys, also under other sealing keys, is consistent, and can be written
    to.
    """
    await fill(ada)
    await fill(ben, records=2, blobs=1)
    carl = await HostedRepository.make(repositories, "carl")
    await db.write(lambda w: hosting.set_status(w, repositories, carl.did, HostingStatus.DEACTIVATED))
    vault = vault_in(tmp_path / "vault")
    before = await reader.all_entries(db, ada.did)
    made = await backup.take(db, source_of(place.url, repositories, tmp_path / "scratch"), vault, clock)
    clock.turn(10 * MINUTE)

    result = await restore.restore(vault, await read_manifest(vault), target_of(place.other, tmp_path), clock)

    assert result.report.is_good, result.report.findings
    assert (result.announced, result.blobs) == (3, 3)
    assert result.first_number == made.last_number + SKIPPED_NUMBERS + 1
    there, restored = await reopen(place.other, clock, tmp_path)
    assert await reader.all_entries(there, ada.did) == before
    again = HostedRepository(restored, ada.did, ada.key)
    await again.create("after", "written after the restore")
    blob = await send(again, b"a new picture")
    await refer(again, "new", blob)
    assert (await integrity.examine(there, integrity.in_store(restored.blobs.store))).findings == []
    head = await restored.head(carl.did)
    assert head.status is HostingStatus.DEACTIVATED
    async with there.reader() as found:
        (row,) = await history.newest(found)
    assert (row.state, row.reason) == ("failed", history.BackupReason.RESTORED_FROM_IT())
    await there.close()


async def test_announcements_of_a_restore(
    repositories: Repositories,
    ada: HostedRepository,
    ben: HostedRepository,
    db: Database,
    place: Place,
    clock: HandClock,
    tmp_path: Path,
):
    """An account that was never announced remains so. One in the last step of a move gets its ``#sync``, and still
    accepts no writes.
    """

    def leave_unconfirmed(w: Writer) -> None:
        queries.insert(w, ben.did, parse_handle("ben.test"), email="ben@example.org", password_hash=None)
        queries.set_awaiting(w, ben.did, UnannouncedReason.CONFIRMATION, w.now)
        hosting.set_unannounced_status(w, repositories, ben.did, HostingStatus.DEACTIVATED)

    await db.write(leave_unconfirmed)
    await db.write(lambda w: hosting.set_frozen(w, repositories, ada.did, is_frozen=True))
    vault = vault_in(tmp_path / "vault")
    await backup.take(db, source_of(place.url, repositories, tmp_path / "scratch"), vault, clock)

    result = await restore.restore(vault, await read_manifest(vault), target_of(place.other, tmp_path), clock)

    there, restored = await reopen(place.other, clock, tmp_path)
    announced = [events.read(frame) for _, frame in await frames_after(there, result.first_number - 1)]
    assert [(type(message), message.did) for message in announced] == [(SyncMessage, ada.did)]
    assert result.announced == 1
    assert (await restored.head(ada.did)).is_frozen
    await there.close()


async def test_follower_continues_with_its_cursor(
    repositories: Repositories,
    ada: HostedRepository,
    ben: HostedRepository,
    db: Database,
    place: Place,
    clock: HandClock,
    tmp_path: Path,
):
    """A follower continues with its cursor although it saw commits that the backup does not have. For each active
    repository it gets one signed ``#sync``, with a higher number and a newer revision than it has seen; later commits
    follow from that.
    """
    vault = vault_in(tmp_path / "vault")
    await ada.create("kept", "in the backup")
    await backup.take(db, source_of(place.url, repositories, tmp_path / "scratch"), vault, clock)
    clock.turn(MINUTE)
    await ada.create("lost", "after the backup")
    await db.write(lambda w: hosting.set_status(w, repositories, ben.did, HostingStatus.DEACTIVATED))
    seen = await frames_after(db)
    cursor = seen[-1][0]
    (*_, newest) = [m for m in await messages(db, ada.did) if isinstance(m, CommitMessage)]
    known = verify.verify_commit_message(newest, ada.key.public, now_us=clock.now(), verification=verify.LENIENT).head

    clock.turn(MINUTE)
    await restore.restore(vault, await read_manifest(vault), target_of(place.other, tmp_path), clock)
    there, restored = await reopen(place.other, clock, tmp_path)
    again = HostedRepository(restored, ada.did, ada.key)
    await again.create("next", "after the restore")

    after = [events.read(frame) for number, frame in await frames_after(there, cursor) if number > cursor]
    assert {message.did for message in after if isinstance(message, SyncMessage)} == {ada.did, ben.did}
    (told,) = [message for message in after if isinstance(message, SyncMessage) and message.did == ada.did]
    assert told.rev > known.rev
    state = verify.verify_sync_message(told, ada.key.public, now_us=clock.now(), last_head=known)
    (commit,) = [message for message in after if isinstance(message, CommitMessage)]
    verify.verify_commit_message(
        commit, ada.key.public, now_us=clock.now(), last_head=verify.RepoHead(told.rev, state.data)
    )
    assert {str(path) for path in await reader.all_entries(there, ada.did)} == {f"{NOTE}/kept", f"{NOTE}/next"}
    await there.close()


async def test_inactive_repositories_are_announced_as_such(
    repositories: Repositories, ada: HostedRepository, db: Database, place: Place, clock: HandClock, tmp_path: Path
):
    """An account that was active in the network but is inactive in the backup is announced as inactive."""
    await db.write(lambda w: hosting.set_status(w, repositories, ada.did, HostingStatus.DEACTIVATED))
    vault = vault_in(tmp_path / "vault")
    await backup.take(db, source_of(place.url, repositories, tmp_path / "scratch"), vault, clock)
    await restore.restore(vault, await read_manifest(vault), target_of(place.other, tmp_path), clock, skipped=7)
    there, _ = await reopen(place.other, clock, tmp_path)
    (*_, last) = await messages(there, ada.did)
    assert isinstance(last, AccountMessage)
    assert (last.active, last.status) == (False, "deactivated")
    await there.close()


async def test_restore_into_a_place_that_is_not_empty_is_refused(
    repositories: Repositories, ada: HostedRepository, db: Database, place: Place, clock: HandClock, tmp_path: Path
):
    """A restore into a place that is not empty is refused, and neither a database nor other people's blobs are touched."""
    await fill(ada)
    vault = vault_in(tmp_path / "vault")
    await backup.take(db, source_of(place.url, repositories, tmp_path / "scratch"), vault, clock)
    manifest = await read_manifest(vault)
    with pytest.raises(Refused, match="already a database in that place"):
        await restore.restore(vault, manifest, target_of(place.url, tmp_path), clock)
    target = target_of(place.other, tmp_path)
    async with target.store.upload() as upload:
        await upload.write(b"somebody's")
        await upload.keep("did:plc:zzz/something")
    with pytest.raises(Refused, match="other blobs in that place"):
        await restore.restore(vault, manifest, target, clock)


@pytest.mark.parametrize("stage", ["database", "blobs", "repositories", "checking"])
async def test_an_interrupted_restore_is_run_again(
    repositories: Repositories,
    ada: HostedRepository,
    db: Database,
    place: Place,
    clock: HandClock,
    tmp_path: Path,
    stage: str,
):
    """A restore interrupted at any point leaves nothing in place, and the next one succeeds."""
    await fill(ada)
    vault = vault_in(tmp_path / "vault")
    await backup.take(db, source_of(place.url, repositories, tmp_path / "scratch"), vault, clock)
    manifest = await read_manifest(vault)
    target = target_of(place.other, tmp_path)

    class Interrupted(Exception):
        pass

    def cut(what: str, done: int, _of: int) -> None:
        if what == stage and done:
            raise Interrupted

    with pytest.raises(Interrupted):
        await restore.restore(vault, manifest, target, clock, progress=cut)
    await restore.require_empty(target, manifest)
    result = await restore.restore(vault, manifest, target, clock)
    assert result.report.is_good


async def test_backup_of_a_newer_program_is_refused(
    repositories: Repositories, ada: HostedRepository, db: Database, place: Place, clock: HandClock, tmp_path: Path
):
    vault = vault_in(tmp_path / "vault")
    await ada.create("a")
    made = await backup.take(db, source_of(place.url, repositories, tmp_path / "scratch"), vault, clock)
    from msgspec.structs import replace  # for this test only

    with pytest.raises(Refused, match="revision 9999"):
        await restore.restore(vault, replace(made, revision="9999"), target_of(place.other, tmp_path), clock)


async def test_backup_in_a_bucket_is_restored_into_a_sqlite_file(
    repositories: Repositories,
    ada: HostedRepository,
    db: Database,
    place: Place,
    clock: HandClock,
    tmp_path: Path,
    make_bucket: MakeBucket,
    engine: Engine,
):
    """A backup in a bucket, made on either engine, can be restored into an SQLite file."""
    from groundwork.blobstore.open_ import open_bucket  # for this test only

    await fill(ada)
    vault = vault_in(open_bucket(make_bucket()))
    await backup.take(db, source_of(place.url, repositories, tmp_path / "scratch"), vault, clock)
    url = f"sqlite://{tmp_path / 'from anywhere.db'}"
    result = await restore.restore(vault, await read_manifest(vault), target_of(url, tmp_path), clock)
    assert result.report.is_good
    assert result.blobs == 2
    assert engine in place.url.partition(":")[0]
    await asyncio.sleep(0)
