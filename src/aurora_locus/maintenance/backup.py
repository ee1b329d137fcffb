"""Make a backup: a snapshot of the database, every blob that its rows refer to, and the keys. Then verify it.

While a backup runs, no blob file is removed (``blobs.removals.pin``), so the snapshot's blobs exist. The manifest is
written last: an interrupted backup has none, and the next backup removes it. A backup is verified by restoring a
database from it and checking all of it (``verification``).
"""

import asyncio
import secrets as randomness
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from aurora_locus.blobs import removals
from aurora_locus.blobs.uploads import object_name, quarantine_name
from aurora_locus.maintenance import dump, history, verification
from aurora_locus.maintenance.history import BackupReason
from aurora_locus.maintenance.manifest import VERSION, Manifest
from aurora_locus.maintenance.vault import BLOBS, DATABASE, MANIFEST, Vault, part_name
from aurora_locus.settings import PACKAGE, SCHEMA
from groundwork.blobstore.contract import BlobStore
from groundwork.clock import MINUTE, Clock, Instant, to_datetime
from groundwork.database.dump import Contents, read_contents
from groundwork.database.migrate import current_revision
from groundwork.database.transaction import Database
from groundwork.errors import Failure, NotFound, reason_of
from groundwork.task_group import run_concurrently
from groundwork.telemetry.logs import log

# Blobs are small and the vault may be far away, so several are copied concurrently.
_AT_ONCE = 8
_BEAT_SECONDS = 60.0
_PIN = 10 * MINUTE
# Maximum number of missing blobs in the manifest. If there are more, the store does not belong to this database.
_MISSING_NAMED = 1000

# Called with the step, the number done and the total (0 if unknown).
Progress = Callable[[str, int, int], None]


def silently(_what: str, _done: int, _of: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSource:
    """What to back up. ``secrets`` are the secrets from the settings, which are not in the database."""

    url: str
    store: BlobStore
    secrets: Mapping[str, str]
    host: str
    version: str
    scratch: Path


async def take(
    db: Database | None, source: BackupSource, vault: Vault, clock: Clock, *, progress: Progress = silently
) -> Manifest:
    """Make a backup and verify it. With ``db`` None, nothing is recorded in the database, because its tables may be of
    an older release.

    Raises Conflict while another backup is running, Unavailable if the vault or the database does not respond, Refused
    if the written data cannot be read back. Only a record of the failure remains then.
    """
    backup = fresh_id(clock.now())
    if db is None:
        return await _make(source, vault, clock, backup, progress)
    await history.begin(db, backup)
    try:
        async with _kept_alive(db, backup):
            manifest = await _make(source, vault, clock, backup, progress)
    except BaseException as failure:
        why = reason_of(failure) if isinstance(failure, Exception) else BackupReason.INTERRUPTED()
        await asyncio.shield(history.end(db, backup, reason=why))
        raise
    await history.end(db, backup, last_number=manifest.last_number, size=manifest.bytes)
    return manifest


def fresh_id(now: Instant) -> str:
    """Make an id that sorts by time."""
    return f"{to_datetime(now):%Y%m%dT%H%M%SZ}-{randomness.token_hex(3)}"


@asynccontextmanager
async def _kept_alive(db: Database, backup: str) -> AsyncIterator[None]:
    """Renew the file pin and the heartbeat of the running backup until the block ends."""
    await removals.pin(db, backup, _PIN)

    async def beat() -> None:
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            try:
                await history.beat(db, backup)
                await removals.pin(db, backup, _PIN)
            except Failure as failure:
                log.warning("backup.beat_missed", kind=type(failure).__name__)

    heartbeat = asyncio.create_task(beat(), name="pds backup beat")
    try:
        yield
    finally:
        heartbeat.cancel()
        await asyncio.gather(heartbeat, return_exceptions=True)
        await asyncio.shield(removals.unpin(db, backup))


async def _make(source: BackupSource, vault: Vault, clock: Clock, backup: str, progress: Progress) -> Manifest:
    try:
        part_sizes, new_blobs = await _write(source, vault, clock, backup, progress)
        await verification.verify(vault, part_sizes, source.scratch, progress, fresh=new_blobs)
        text = msgspec.json.encode(part_sizes)
        await vault.write(part_name(backup, MANIFEST), _as_stream(text))
    except BaseException:
        await asyncio.shield(_remove(vault, backup))
        raise
    return part_sizes


async def _remove(vault: Vault, backup: str) -> None:
    try:
        await vault.remove(backup)
    except Failure as failure:
        # Without a manifest this is not a backup, and the next backup removes it.
        log.warning("backup.left_behind", backup=backup, kind=type(failure).__name__)


async def _write(
    source: BackupSource, vault: Vault, clock: Clock, backup: str, progress: Progress
) -> tuple[Manifest, set[bytes]]:
    """Write the manifest, and the blobs that the vault lacks."""
    revision = await current_revision(source.url, SCHEMA, PACKAGE)
    source.scratch.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}

    def on_progress(table: str, rows: int) -> None:
        counts[table] = counts.get(table, 0) + rows
        progress("database", sum(counts.values()), 0)

    async with read_contents(source.url, SCHEMA, source.scratch) as contents:
        made_at = clock.now()
        size = await vault.write(part_name(backup, DATABASE), dump.write(contents, on_progress))
        last_number = await _last_number(contents)
        copying = _BlobCopier(vault, source.store, progress, counts.get("blobs", 0))
        await copying.copy(contents)
    size += await vault.write(part_name(backup, BLOBS), _as_stream(b"".join(copying.digests)))
    manifest = Manifest(
        version=VERSION,
        id=backup,
        made_at=made_at,
        host=source.host,
        program=source.version,
        revision=revision,
        last_number=last_number,
        rows=counts,
        blobs=len(copying.digests),
        missing=copying.missing,
        bytes=size + copying.bytes,
        secrets=dict(source.secrets),
    )
    return manifest, copying.fresh


async def _last_number(contents: Contents) -> int:
    for table in contents.tables:
        if table.name == "sequencer":
            async for rows in contents.rows(table):
                return int(str(rows[0][table.columns.index("last")]))
    return 0


class _BlobCopier:
    """Copies missing blobs into the vault."""

    def __init__(self, vault: Vault, store: BlobStore, progress: Progress, total: int) -> None:
        self._vault = vault
        self._store = store
        self._progress = progress
        self._total = total
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self.digests: list[bytes] = []
        self.missing: list[str] = []
        self.fresh: set[bytes] = set()
        self.bytes = 0
        self._done = 0

    async def copy(self, contents: Contents) -> None:
        backed_up_keys = await known_blobs(self._vault)
        for table in contents.tables:
            if table.name != "blobs":
                continue
            did, cid = table.columns.index("did"), table.columns.index("cid")
            async for rows in contents.rows(table):
                async with run_concurrently() as group:
                    for row in rows:
                        group.create_task(self._copy_blob(Did(str(row[did])), Cid(bytes(row[cid])), backed_up_keys))  # type: ignore[arg-type]  # a column of bytes

    async def _copy_blob(self, did: Did, cid: Cid, backed_up_keys: set[bytes]) -> None:
        name = object_name(did, cid)
        digest = self._vault.digest_of(name)
        async with self._turns:
            if digest not in backed_up_keys:
                size = await self._send(did, cid, digest)
                if size is None:
                    if len(self.missing) < _MISSING_NAMED:
                        self.missing.append(name)
                    return
                self.bytes += size
                self.fresh.add(digest)
            self.digests.append(digest)
            self._done += 1
            self._progress("blobs", self._done, self._total)

    async def _send(self, did: Did, cid: Cid, digest: bytes) -> int | None:
        for name in (object_name(did, cid), quarantine_name(did, cid)):
            try:
                return await self._vault.write(self._vault.blob_name(digest), self._store.read(name))
            except NotFound:
                continue
        return None


async def known_blobs(vault: Vault) -> set[bytes]:
    """Return the digests of the blobs in the vault."""
    return {bytes.fromhex(stored.key.rpartition("/")[2]) async for stored in vault.store.list(BLOBS)}


async def _as_stream(value: bytes) -> AsyncIterator[bytes]:
    yield value
