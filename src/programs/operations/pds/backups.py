"""Make, list, verify and restore backups (``openmeet pds backup``, ``backups`` and ``restore``)."""

from pathlib import Path

import typer

from aurora_locus.blobs.place import open_store
from aurora_locus.maintenance import backup, configured, verification
from aurora_locus.maintenance.manifest import Manifest, read_manifest
from aurora_locus.maintenance.restore import SKIPPED_NUMBERS
from aurora_locus.maintenance.restore import restore as put_back
from aurora_locus.maintenance.vault import Vault
from aurora_locus.settings import PdsSettings
from groundwork import private_file
from groundwork.clock import SystemClock, to_datetime
from groundwork.database.transaction import Database
from groundwork.errors import Refused
from programs.command_line import print_json, say, say_table, with_count, with_size
from programs.operations.pds.server_access import read_settings, run_on_database
from programs.progress_bars import progress_bars
from programs.running import VERSION, run_command


def show_or_verify(prove: str, source: str, settings_file: Path | None, *, as_json: bool) -> None:
    """List the backups, or verify one again. Exits with 1 if something is wrong or there is no backup."""
    settings = read_settings(settings_file)

    async def run() -> None:
        vault = await configured.vault(settings, url=source)
        if prove:
            with progress_bars(is_shown=not as_json) as on_progress:
                scratch = settings.data_directory / "scratch"
                report = await verification.verify(vault, await read_manifest(vault, prove), scratch, on_progress)
            findings = [{"about": one.about, "what": one.what} for one in report.findings]
            if as_json:
                print_json({"id": prove, "ok": report.is_good, "findings": findings})
            else:
                for finding in report.findings:
                    say(f"{finding.about}  {finding.what}")
                say(
                    f"No errors were found in {prove}."
                    if report.is_good
                    else f"{with_count(len(findings), 'error')} found in {prove}."
                )
            if not report.is_good:
                raise typer.Exit(1)
            return
        manifests, damaged = await _read_all(vault)
        if as_json:
            print_json([_backup_json(one) for one in manifests])
        else:
            say_table(
                (
                    one.id,
                    f"{to_datetime(one.instant):%Y-%m-%d %H:%M} UTC",
                    with_count(sum(one.rows.values()), "row"),
                    with_count(one.blobs, "blob"),
                    f"up to event {one.last_number}",
                )
                for one in manifests
            )
            say(f"The newest is {_age(manifests[-1])} old." if manifests else "There is no backup.")
        for why in damaged:
            say(why, err=True)
        if not manifests or damaged:
            raise typer.Exit(1)

    run_command(run)


def make(settings_file: Path | None, *, as_json: bool) -> None:
    """Make an encrypted backup at PDS_BACKUP_URL, and verify it by restoring its database."""

    async def run(db: Database, settings: PdsSettings) -> None:
        vault = await configured.vault(settings, make=True)
        source = configured.source(settings, open_store(settings), version=VERSION)
        with progress_bars(is_shown=not as_json) as on_progress:
            made = await backup.take(db, source, vault, SystemClock(), progress=on_progress)
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
            f"{made.id}: {with_count(sum(made.rows.values()), 'row')} and {with_count(made.blobs, 'blob')}, "
            f"verified; {with_size(made.bytes)} written."
        )
        say(f"State of {to_datetime(made.instant):%Y-%m-%d %H:%M:%S} UTC, up to event {made.last_number}.")
        for name in made.missing:
            say(f"The blob {name} has no file.")

    run_on_database(settings_file, run)


def restore(
    backup_id: str, source: str, numbers_left_out: int | None, settings_file: Path | None, *, as_json: bool
) -> None:
    """Restore a backup into the locations in the settings, which must be empty. When the server starts, it announces
    every repository.

    If the restore is interrupted, no server starts on the incomplete data; run the command again. Exits with 1 if
    anything is wrong.
    """
    settings = read_settings(settings_file)

    async def run() -> None:
        vault = await configured.vault(settings, url=source)
        manifest = await read_manifest(vault, backup_id)
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


async def _read_all(vault: Vault) -> tuple[list[Manifest], list[str]]:
    """Return the manifests, oldest first, and a sentence for each backup whose manifest cannot be read."""
    manifests, damaged = [], []
    for name in await vault.backup_ids():
        try:
            manifests.append(await read_manifest(vault, name))
        except Refused as refused:
            damaged.append(str(refused))
    return manifests, damaged


def _age(newest: Manifest) -> str:
    minutes = (SystemClock().now() - newest.made_at) // 60_000_000
    if minutes < 120:
        return with_count(minutes, "minute")
    return with_count(minutes // 60, "hour") if minutes < 48 * 60 else with_count(minutes // 1440, "day")


def _backup_json(manifest: Manifest) -> dict[str, object]:
    return {
        "id": manifest.id,
        "made_at": to_datetime(manifest.instant).isoformat(),
        "host": manifest.host,
        "last_number": manifest.last_number,
        "rows": sum(manifest.rows.values()),
        "blobs": manifest.blobs,
        "missing_blobs": manifest.missing,
    }
