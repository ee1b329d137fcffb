"""Make a backup now, while the server is running, and verify it (``openmeet pds backup``)."""

from pathlib import Path

from aurora_locus.blobs.place import open_store
from aurora_locus.maintenance import backup as backups
from aurora_locus.maintenance import configured
from aurora_locus.settings import PdsSettings
from groundwork.clock import SystemClock, to_datetime
from groundwork.database.transaction import Database
from programs.command_line import print_json, say, with_count, with_size
from programs.operations.pds.reaching import run_on_database
from programs.progress_bars import progress_bars
from programs.running import VERSION


def make(settings_file: Path | None, *, as_json: bool) -> None:
    """Make an encrypted backup at PDS_BACKUP_URL, and verify it by restoring its database."""

    async def run(db: Database, settings: PdsSettings) -> None:
        vault = await configured.vault(settings, make=True)
        source = configured.source(settings, open_store(settings), version=VERSION)
        with progress_bars(is_shown=not as_json) as on_progress:
            backup = await backups.take(db, source, vault, SystemClock(), progress=on_progress)
        if as_json:
            print_json(
                {
                    "id": backup.id,
                    "last_number": backup.last_number,
                    "rows": backup.rows,
                    "blobs": backup.blobs,
                    "bytes": backup.bytes,
                    "missing_blobs": backup.missing,
                }
            )
            return
        say(
            f"{backup.id}: {with_count(sum(backup.rows.values()), 'row')} and {with_count(backup.blobs, 'blob')}, "
            f"verified; {with_size(backup.bytes)} written."
        )
        say(f"State of {to_datetime(backup.instant):%Y-%m-%d %H:%M:%S} UTC, up to event {backup.last_number}.")
        for name in backup.missing:
            say(f"The blob {name} has no file.")

    run_on_database(settings_file, run)
