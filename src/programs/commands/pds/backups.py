"""Options of ``openmeet pds backups``: list the backups and show the age of the newest."""

from typing import Annotated

import typer

from programs.command_line import AsJson, SettingsFile, loading, role

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
    with loading():
        from programs.operations.pds import backups
    backups.show_or_verify(prove, source, settings_file, as_json=as_json)
