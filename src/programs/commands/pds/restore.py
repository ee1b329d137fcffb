"""``openmeet pds restore``: restore a PDS from a backup into empty storage."""

from typing import Annotated

import typer

from aurora_locus.maintenance import configured
from aurora_locus.maintenance.manifest import read_manifest
from aurora_locus.maintenance.restore import SKIPPED_NUMBERS
from aurora_locus.maintenance.restore import restore as put_back
from groundwork import private_file
from groundwork.clock import SystemClock
from programs.command_line import AsJson, SettingsFile, print_json, role, say, with_count
from programs.commands.pds.opening import bars
from programs.commands.pds.reaching import read_settings
from programs.running import run_command

app = role()


@app.command()
def main(
    backup: Annotated[
        str, typer.Argument(help="Name of the backup (see openmeet pds backups). Default: the newest.")
    ] = "",
    source: Annotated[str, typer.Option("--from", help="Location of the backups. Default: PDS_BACKUP_URL.")] = "",
    numbers_left_out: Annotated[
        int,
        typer.Option(min=1, help="Gap in the event numbers after the backup; more than the events since it was made."),
    ] = SKIPPED_NUMBERS,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into the locations in the settings, which must be empty. When the server starts, it announces
    every repository.

    If the restore is interrupted, no server starts on the incomplete data; run the command again. Exits with 1 if
    anything is wrong.
    """
    settings = read_settings(settings_file)

    async def run() -> None:
        vault = await configured.vault(settings, url=source)
        manifest = await read_manifest(vault, backup)
        target = configured.target(settings)
        async with bars(hidden=as_json) as on_progress:
            restored = await put_back(
                vault, manifest, target, SystemClock(), skipped=numbers_left_out, progress=on_progress
            )
        if not target.sealing_keys:
            private_file.write_once(
                settings.data_directory / "sealing.key", f"{restored.sealing_keys}\n".encode("ascii")
            )
        findings = [{"about": one.about, "what": one.what} for one in restored.report.findings]
        if as_json:
            print_json(
                {
                    "id": manifest.id,
                    "first_number": restored.first_number,
                    "repositories": restored.announced,
                    "blobs": restored.blobs,
                    "ok": restored.report.is_good,
                    "findings": findings,
                }
            )
        else:
            for finding in restored.report.findings:
                say(f"{finding.about}  {finding.what}")
            say(
                f"Restored {manifest.id}: {with_count(restored.announced, 'repository', 'repositories')}, {with_count(restored.blobs, 'blob')}."
            )
            say(f"Event numbers continue at {restored.first_number}. Start the server: openmeet pds")
        if not restored.report.is_good:
            raise typer.Exit(1)

    run_command(run)
