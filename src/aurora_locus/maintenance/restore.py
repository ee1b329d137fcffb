"""Restore a backup: it is built in a staging place, announced, and moved into place in one step at the end.

An interrupted restore leaves nothing that a server would start with, and can simply be run again. Sequence numbers
continue far above those of the backup, so that none is assigned twice (invariant 2). Every active repository gets a new
commit, announced as ``#sync``, because consumers may have seen commits that the backup does not have. Accounts that were
never announced remain so.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.blobs.uploads import BlobService, UploadLimits, object_name
from aurora_locus.keys import server_keys
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.maintenance import history, integrity, rotation
from aurora_locus.maintenance.backup import Progress, silently
from aurora_locus.maintenance.integrity import IntegrityReport
from aurora_locus.maintenance.manifest import ROTATION_KEY, SEALING_KEYS, SESSION_SECRET, Manifest
from aurora_locus.maintenance.vault import Vault
from aurora_locus.maintenance.verification import blob_digests, load_database, total
from aurora_locus.repository import hosting, reader
from aurora_locus.repository.commit import recommit
from aurora_locus.repository.model import Head, HostingStatus
from aurora_locus.repository.repositories import Repositories, open_repositories
from aurora_locus.sequencer import log
from aurora_locus.sequencer.live_events import open_live
from aurora_locus.settings import PACKAGE, SCHEMA
from groundwork.blobstore.contract import BlobStore
from groundwork.clock import Clock, Instant
from groundwork.database.migrate import current_revision, head, migrate, versions_folder
from groundwork.database.open_ import open_database
from groundwork.database.staging import stage
from groundwork.database.transaction import Database, Writer
from groundwork.errors import Refused
from groundwork.sealing import Sealer, parse_keys
from groundwork.task_group import run_concurrently

# More events than a server assigns between its last backup and its loss (design, section 4.4).
SKIPPED_NUMBERS = 10_000_000

_AT_ONCE = 32
_BLOBS_AT_ONCE = 8

_BLOBS = "select did, cid, size from blobs where (did, cid) > (:did, :cid) order by did, cid limit :limit"


@dataclass(frozen=True, slots=True)
class RestoreTarget:
    """The target of a restore. ``sealing_keys`` are the keys with which it will start, newest first; if empty, the
    backup's are used.

    ``secrets`` are those in its settings, named as in the manifest.
    """

    url: str
    store: BlobStore
    sealing_keys: tuple[bytes, ...] = ()
    secrets: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreResult:
    """Result of a restore: the first new sequence number, the number of announced repositories, and the report of the
    integrity check.
    """

    manifest: Manifest
    first_number: int
    announced: int
    blobs: int
    sealing_keys: str
    report: IntegrityReport


async def restore(
    vault: Vault,
    manifest: Manifest,
    target: RestoreTarget,
    clock: Clock,
    *,
    skipped: int = SKIPPED_NUMBERS,
    progress: Progress = silently,
) -> RestoreResult:
    """Restore a PDS from a backup. Raises Refused if the target is not empty, or if the backup is damaged or was made
    by a newer program. The target is unchanged then.
    """
    await require_empty(target, manifest)
    digests = await blob_digests(vault, manifest)
    await _require_ours(target.store, vault, digests)
    staged = await stage(target.url, SCHEMA)
    await load_database(
        vault, manifest, staged.url, staged.schema, lambda done: progress("database", done, total(manifest))
    )
    await migrate(staged.url, staged.schema, PACKAGE)
    db = await open_database(staged.url, schema=staged.schema, clock=clock, reader_seconds=120)
    try:
        keys = await _store_secrets(db, manifest, target)
        blobs = await _fetch_blobs(vault, digests, db, target.store, progress)
        first = manifest.last_number + skipped
        announced = await _announce(db, target, keys, clock, first, progress)
        report = await integrity.examine(
            db, integrity.in_store(target.store), on_progress=lambda done: progress("checking", done, 0)
        )
    finally:
        await db.close()
    await staged.move_into_place()
    return RestoreResult(
        manifest=manifest,
        first_number=first + 1,
        announced=announced,
        blobs=blobs,
        sealing_keys=manifest.secrets.get(SEALING_KEYS, ""),
        report=report,
    )


async def require_empty(target: RestoreTarget, manifest: Manifest) -> None:
    """Raise Refused if the target is not empty, or if this program is older than the backup."""
    newest = head(versions_folder(PACKAGE))
    if manifest.revision > newest:
        raise Refused(
            f"The backup's tables have revision {manifest.revision}, but this program knows only revisions up to "
            f"{newest}: use the program that made the backup, or a newer one."
        )
    if await current_revision(target.url, SCHEMA, PACKAGE):
        raise Refused("There is already a database in that place. A backup can only be restored into an empty place.")


async def _require_ours(store: BlobStore, vault: Vault, digests: set[bytes]) -> None:
    """Raise Refused if the store contains blobs that are not in the backup. Blobs left by an interrupted restore may
    stay.
    """
    async for stored in store.list():
        if vault.digest_of(stored.key) not in digests:
            raise Refused("There are other blobs in that place. A backup can only be restored into an empty place.")


async def _store_secrets(db: Database, manifest: Manifest, target: RestoreTarget) -> Sealer:
    """Reseal every value with the target's keys, and store those secrets from the source's settings that the target
    lacks.
    """
    backup_keys = parse_keys(manifest.secrets[SEALING_KEYS])
    sealer = Sealer([*target.sealing_keys, *backup_keys])
    await rotation.reseal(db, sealer)
    secrets_by_name = {
        ROTATION_KEY: (server_keys.ROTATION_KEY, bytes.fromhex),
        SESSION_SECRET: (server_keys.SESSION_SECRET, str.encode),
    }
    for name, (purpose, decode) in secrets_by_name.items():
        text = manifest.secrets.get(name, "")
        if text and not (target.secrets or {}).get(name):
            secret = decode(text)
            await db.write(lambda w, p=purpose, s=secret: server_keys.put(w, sealer, p, s))  # type: ignore[misc]  # defaults bind now
    await db.write(history.fail_running)
    return sealer


async def _fetch_blobs(vault: Vault, digests: set[bytes], db: Database, store: BlobStore, progress: Progress) -> int:
    """Fetch the blobs that the database's rows refer to. Blobs that already exist are kept."""
    sizes_by_key = {stored.key: stored.size async for stored in store.list()}
    turns = asyncio.Semaphore(_BLOBS_AT_ONCE)
    done = 0

    async def fetch(name: str, digest: bytes, size: int) -> None:
        nonlocal done
        async with turns:
            if sizes_by_key.get(name) != size:
                async with store.upload() as upload:
                    async for piece in vault.read(vault.blob_name(digest)):
                        await upload.write(piece)
                    await upload.keep(name)
            done += 1
            progress("blobs", done, len(digests))

    async for page in _blob_pages(db):
        async with run_concurrently() as group:
            for name, size in page:
                digest = vault.digest_of(name)
                if digest in digests:
                    group.create_task(fetch(name, digest, size))
    return done


async def _blob_pages(db: Database) -> AsyncIterator[list[tuple[str, int]]]:
    after: tuple[str, bytes] = ("", b"")
    while True:
        async with db.reader() as db_reader:
            rows = await db_reader.fetch(_BLOBS, did=after[0], cid=after[1], limit=500)
        if not rows:
            return
        yield [(object_name(Did(row["did"]), Cid(row["cid"])), row["size"]) for row in rows]
        after = (rows[-1]["did"], rows[-1]["cid"])


async def _announce(
    db: Database, target: RestoreTarget, sealer: Sealer, clock: Clock, first: int, progress: Progress
) -> int:
    """Continue with sequence numbers far above those of the backup, and announce the current state of every repository.
    Return how many were announced.
    """
    await db.write(lambda w: log.continue_at(w, first))
    live = await open_live(db)
    blobs = BlobService(db, target.store, UploadLimits())
    repositories = await open_repositories(db, live, SigningKeys(db, sealer), blobs, clock, clock_id=0)
    number = await reader.count_repositories(db)
    done = announced = 0
    at, last = Instant(-1), ""
    try:
        while page := await reader.heads_after(db, at, last, _AT_ONCE):
            announced += sum(await asyncio.gather(*(_announce_one(repositories, head) for _, head in page)))
            done += len(page)
            progress("repositories", done, number)
            at, last = page[-1][0], page[-1][1].did
    finally:
        await repositories.close()
    return announced


async def _announce_one(repositories: Repositories, present: Head) -> bool:
    """Announce a repository. Return False if its account was never announced, and is not announced now."""
    db, did = repositories.db, present.did
    if present.status is HostingStatus.ACTIVE:
        if present.is_frozen:
            # The account is in the last step of a move, which refuses commits.
            await db.write(lambda w: hosting.set_frozen(w, repositories, did, is_frozen=False))
        await recommit(repositories, did, as_sync=True)
        if present.is_frozen:
            await db.write(lambda w: hosting.set_frozen(w, repositories, did, is_frozen=True))
        return True

    def announce(w: Writer) -> bool:
        if queries.waiting(w, did) is not None:
            return False
        # The account may have been reactivated after the backup, so announce its status.
        log.append_account(w, repositories.live, did, present.status.value)
        return True

    return await db.write(announce)
