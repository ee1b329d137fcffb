"""``openmeet pds backups``: list the backups and show the age of the newest."""

from typing import Annotated

import typer

from aurora_locus.maintenance import configured, verification
from aurora_locus.maintenance.manifest import Manifest, read_manifest
from groundwork.clock import SystemClock, to_datetime
from programs.command_line import AsJson, SettingsFile, print_json, role, say, with_count
from programs.commands.pds.opening import bars
from programs.commands.pds.reaching import read_settings
from programs.running import run_command

app = role()


@app.command()
def main(
    prove: Annotated[
        str, typer.Option(help="Verify this backup: restore its database and open each of its blobs.")
    ] = "",
    source: Annotated[str, typer.Option("--from", help="Location of the backups. Default: PDS_BACKUP_URL.")] = "",
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """List the backups, or verify one again. Exits with 1 if something is wrong or there is no backup."""
    settings = read_settings(settings_file)

    async def run() -> None:
        vault = await configured.vault(settings, url=source)
        if prove:
            async with bars(hidden=as_json) as on_progress:
                scratch = settings.data_directory / "scratch"
                report = await verification.verify(vault, await read_manifest(vault, prove), scratch, on_progress)
            findings = [{"about": one.about, "what": one.what} for one in report.findings]
            if as_json:
                print_json({"id": prove, "ok": report.is_good, "findings": findings})
            else:
                for finding in report.findings:
                    say(f"{finding.about}  {finding.what}")
                say(f"{prove}: {'good' if report.is_good else 'WRONG'}")
            if not report.is_good:
                raise typer.Exit(1)
            return
        manifests = [await read_manifest(vault, name) for name in await vault.ids()]
        if as_json:
            print_json([_backup_json(one) for one in manifests])
        else:
            for one in manifests:
                made_at = f"{to_datetime(one.instant):%Y-%m-%d %H:%M} UTC"
                say(
                    f"{one.id}  {made_at}  {with_count(sum(one.rows.values()), 'row')}, {with_count(one.blobs, 'blob')}, up to event {one.last_number}"
                )
            say(f"The newest is {_age(manifests[-1])} old." if manifests else "There is no backup.")
        if not manifests:
            raise typer.Exit(1)

    run_command(run)


def _age(newest: Manifest) -> str:
    minutes = (SystemClock().now() - newest.made_at) // 60_000_000
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"


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
