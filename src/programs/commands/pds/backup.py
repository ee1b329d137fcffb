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
            made = await backups.take(db, source, vault, SystemClock(), progress=on_progress)
        if as_json:
            print_json(
                {
                    "id": made.id,
                    "last_number": made.last_number,
                    "rows": made.rows,
                    "blobs": made.blobs,
                    "bytes": made.bytes,
                    "missing_blobs": made.missing,
                }
            )
            return
        say(
            f"{made.id}  {with_count(sum(made.rows.values()), 'row')}, {with_count(made.blobs, 'blob')}, {with_count(made.bytes, 'byte')} written; verified."
        )
        say(f"of {to_datetime(made.instant):%Y-%m-%d %H:%M:%S} UTC, up to event {made.last_number}")
        for name in made.missing:
            say(f"The blob {name} has no file.")

    run_on_database(settings_file, run)
