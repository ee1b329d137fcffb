"""``openmeet pds backup``: make a backup now, while the server is running, and verify it."""

from aurora_locus.blobs.place import open_store
from aurora_locus.maintenance import backup as backups
from aurora_locus.maintenance import configured
from aurora_locus.settings import PdsSettings
from groundwork.clock import SystemClock, to_datetime
from groundwork.database.transaction import Database
from programs.command_line import AsJson, SettingsFile, print_json, role, say, with_count
from programs.commands.pds.opening import bars
from programs.commands.pds.reaching import run_on_database
from programs.running import VERSION

app = role()


@app.command()
def main(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Make an encrypted backup at PDS_BACKUP_URL, and verify it by restoring its database."""

    async def run(db: Database, settings: PdsSettings) -> None:
        vault = await configured.vault(settings, make=True)
        source = configured.source(settings, open_store(settings), version=VERSION)
        async with bars(hidden=as_json) as on_progress:
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
            f"{backup.id}  {with_count(sum(backup.rows.values()), 'row')}, {with_count(backup.blobs, 'blob')}, {with_count(backup.bytes, 'byte')} written; verified."
        )
        say(f"of {to_datetime(backup.instant):%Y-%m-%d %H:%M:%S} UTC, up to event {backup.last_number}")
        for name in backup.missing:
            say(f"The blob {name} has no file.")

    run_on_database(settings_file, run)
