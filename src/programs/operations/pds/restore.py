"""Restore a PDS from a backup into empty storage (``openmeet pds restore``)."""

from pathlib import Path

import typer

from aurora_locus.maintenance import configured
from aurora_locus.maintenance.manifest import read_manifest
from aurora_locus.maintenance.restore import SKIPPED_NUMBERS
from aurora_locus.maintenance.restore import restore as put_back
from groundwork import private_file
from groundwork.clock import SystemClock
from programs.command_line import print_json, say, with_count
from programs.operations.pds.reaching import read_settings
from programs.progress_bars import progress_bars
from programs.running import run_command


def restore(
    backup: str, source: str, numbers_left_out: int | None, settings_file: Path | None, *, as_json: bool
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
        with progress_bars(is_shown=not as_json) as on_progress:
            restored = await put_back(
                vault,
                manifest,
                target,
                SystemClock(),
                skipped=SKIPPED_NUMBERS if numbers_left_out is None else numbers_left_out,
                progress=on_progress,
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
                f"Restored {manifest.id}: {with_count(restored.announced, 'repository', 'repositories')}, "
                f"{with_count(restored.blobs, 'blob')}."
            )
            say(f"Event numbers continue at {restored.first_number}. Start the server: openmeet pds")
        if not restored.report.is_good:
            raise typer.Exit(1)

    run_command(run)
