"""Options of ``openmeet pds restore``: restore a PDS from a backup into empty storage."""

from typing import Annotated

import typer

from programs.command_line import AsJson, SettingsFile, loading, role

app = role()


@app.command()
def main(
    backup: Annotated[
        str, typer.Argument(help="Name of the backup (see openmeet pds backups). Default: the newest.")
    ] = "",
    source: Annotated[str, typer.Option("--from", help="Location of the backups. Default: PDS_BACKUP_URL.")] = "",
    numbers_left_out: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=(
                "Gap in the event numbers after the backup; more than the events since it was made. Default: ten "
                "million."
            ),
        ),
    ] = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into the locations in the settings, which must be empty. When the server starts, it announces
    every repository.

    If the restore is interrupted, no server starts on the incomplete data; run the command again. Exits with 1 if
    anything is wrong.
    """
    with loading():
        from programs.operations.pds import backups
    backups.restore(backup, source, numbers_left_out, settings_file, as_json=as_json)
