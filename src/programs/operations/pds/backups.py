"""List the backups and show the age of the newest (``openmeet pds backups``)."""

from pathlib import Path

import typer

from aurora_locus.maintenance import configured, verification
from aurora_locus.maintenance.manifest import Manifest, read_manifest
from aurora_locus.maintenance.vault import Vault
from groundwork.clock import SystemClock, to_datetime
from groundwork.errors import Refused
from programs.command_line import print_json, say, say_table, with_count
from programs.operations.pds.reaching import read_settings
from programs.progress_bars import progress_bars
from programs.running import run_command


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
