"""Scheduled backups and how long they are kept, and the backup before a migration of the database."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import Counter

from aurora_locus.maintenance import backup, configured, history
from aurora_locus.maintenance.manifest import read_manifest
from aurora_locus.maintenance.vault import BLOBS, Vault
from aurora_locus.maintenance.verification import blob_digests
from aurora_locus.settings import PACKAGE, SCHEMA, PdsSettings
from groundwork.blobstore.contract import BlobStore
from groundwork.clock import SECOND, Clock, Instant, from_datetime
from groundwork.database.migrate import current_revision, head, versions_folder
from groundwork.database.open_ import POSTGRES, sqlite_path
from groundwork.database.sqlite_dump import copy_file
from groundwork.database.transaction import Database
from groundwork.errors import Conflict, Refused
from groundwork.settings import SettingsRefused
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics

# How often to check whether a backup is due. A failed one is retried after an hour.
_LOOK_SECONDS = 60.0
_AFTER_FAILURE_SECONDS = 3600

_WITHOUT_BACKUP = (
    "The database must be migrated (revision {present} to {wanted}), and there would be no way back without a backup. Set "
    "PDS_BACKUP_URL and PDS_BACKUP_PASSPHRASE, so that a backup is made first, or make one yourself (pg_dump) and "
    "start once with PDS_MIGRATE_WITHOUT_BACKUP=true."
)

# How many copies of the SQLite file from before migrations are kept, if no vault is configured.
_COPIES_KEPT = 2


@dataclass(frozen=True, slots=True)
class BackupGauges:
    """Metrics for an operator's alarms."""

    outcomes: Counter
    report_last: Callable[[history.Backup | None], None]


def gauges(metrics: Metrics, clock: Clock) -> BackupGauges:
    """Register the metrics of backups: age of the newest one, and number of backups by outcome."""
    last: list[history.Backup | None] = [None]

    def age() -> float:
        newest = last[0]
        # NaN means that there is none. An alarm that compares the age never treats NaN as recent.
        return float("nan") if newest is None else (clock.now() - newest.started_at) / SECOND

    def report_last(newest: history.Backup | None) -> None:
        last[0] = newest

    metrics.gauge_of("backup_age_seconds", "Age of the newest verified backup; NaN if there is none", age)
    outcomes = metrics.counter("backups", "Backups by outcome", ["outcome"])
    return BackupGauges(outcomes, report_last)


async def keep_backups(
    db: Database, settings: PdsSettings, store: BlobStore, clock: Clock, measured: BackupGauges, *, version: str
) -> None:
    """Make a backup whenever one is due, and remove expired ones. Runs until cancelled."""
    while True:
        try:
            await make_if_due(db, settings, store, clock, measured, version=version)
        except Exception as error:  # noqa: BLE001 - an edge: one backup that fails must not be the last
            log.error("backup.failed", exc_info=error)
        await asyncio.sleep(_LOOK_SECONDS)


async def make_if_due(
    db: Database, settings: PdsSettings, store: BlobStore, clock: Clock, measured: BackupGauges, *, version: str
) -> bool:
    """Make a backup if one is due. Return whether one was made."""
    async with db.reader() as reader:
        last = await history.last_backup(reader)
        newest = await history.newest(reader, limit=1)
    measured.report_last(last)
    if not settings.backup_url or not _is_due(last, newest[0] if newest else None, settings, clock.now()):
        return False
    vault = await configured.vault(settings, make=True)
    try:
        new_backup = await backup.take(db, configured.source(settings, store, version=version), vault, clock)
    except Conflict:
        return False  # another process is making one
    except Exception:
        measured.outcomes.labels("failed").inc()
        raise
    measured.outcomes.labels("done").inc()
    log.info(
        "backup.made",
        backup=new_backup.id,
        bytes=new_backup.bytes,
        blobs=new_backup.blobs,
        missing=len(new_backup.missing),
    )
    async with db.reader() as reader:
        measured.report_last(await history.last_backup(reader))
    older_than = Instant(clock.now() - round(settings.backup_retention * SECOND))
    await prune(vault, older_than)
    await history.delete_before(db, older_than)
    return True


def _is_due(last: history.Backup | None, newest: history.Backup | None, settings: PdsSettings, now: Instant) -> bool:
    if newest is not None and newest.state == "failed" and now - newest.started_at < _AFTER_FAILURE_SECONDS * SECOND:
        return False
    return last is None or now - last.started_at >= settings.backup_interval * SECOND


async def before_migrating(
    settings: PdsSettings, store: Callable[[], BlobStore], clock: Clock, *, version: str
) -> None:
    """Make a backup before a non-empty database is migrated; if no vault is configured, a copy of the SQLite file.

    Raises SettingsRefused if neither is possible (PostgreSQL without a vault), or if a newer program has used the
    database, because this program does not understand the newer rows.
    """
    current = await current_revision(settings.database, SCHEMA, PACKAGE)
    target_revision = head(versions_folder(PACKAGE))
    if current > target_revision:
        why = f"The database has revision {current}, but this program knows only revisions up to {target_revision}."
        raise SettingsRefused(
            [f"{why} Start the newer program, or restore the backup made before it changed the tables."]
        )
    if current in ("", target_revision):
        return
    if settings.backup_url:
        vault = await configured.vault(settings, make=True)
        new_backup = await backup.take(None, configured.source(settings, store(), version=version), vault, clock)
        log.info("backup.made", backup=new_backup.id, before=target_revision)
    elif settings.database.startswith(POSTGRES):
        if not settings.migrate_without_backup:
            raise SettingsRefused([_WITHOUT_BACKUP.format(present=current, wanted=target_revision)])
        log.warning("migration.without_backup", revision=current, wanted=target_revision)
    else:
        await asyncio.to_thread(_copy, settings, current)


def _copy(settings: PdsSettings, revision: str) -> None:
    folder = settings.data_directory / "before-migrations"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    copy_file(sqlite_path(settings.database, SCHEMA), folder / f"{revision}.db")
    for old in sorted(folder.glob("*.db"))[:-_COPIES_KEPT]:
        old.unlink()


async def prune(vault: Vault, older_than: Instant) -> tuple[int, int]:
    """Remove backups made before this instant, remains of interrupted ones, and unreferenced blobs. Return the number
    of backups and of blobs.

    No backup may be running, because its blobs are not listed yet.
    """
    complete = await vault.backup_ids()
    names_to_keep = [name for name in complete if _made_at(name) >= older_than or name == complete[-1]]
    backup_names = {stored.key.split("/")[1] async for stored in vault.store.list("backups")}
    for name in sorted(backup_names - set(names_to_keep)):
        await vault.remove(name)
    used_digests = await _used_digests(vault, names_to_keep)
    blobs = 0
    if used_digests is not None:
        async for stored in vault.store.list(BLOBS):
            if bytes.fromhex(stored.key.rpartition("/")[2]) not in used_digests:
                blobs += await vault.store.delete(stored.key)
    return len(backup_names - set(names_to_keep)), blobs


async def _used_digests(vault: Vault, names: list[str]) -> set[bytes] | None:
    """Return the digests of the blobs of these backups; None if they are not all known, so that no blob may be removed."""
    used_digests: set[bytes] = set()
    for name in names:
        try:
            used_digests |= await blob_digests(vault, await read_manifest(vault, name))
        except Refused as refused:
            log.error("backup.damaged", backup=name, reason=str(refused))
            return None
    return used_digests if names else None


def _made_at(name: str) -> Instant:
    stamp = datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return from_datetime(stamp)
