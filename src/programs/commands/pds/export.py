"""Options of ``openmeet pds export DID FILE.car``: write a repository to a file."""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import SettingsFile, loading, role

app = role()


@app.command()
def main(
    did: Annotated[str, typer.Argument(help="DID of the repository.")],
    file: Annotated[Path, typer.Argument(dir_okay=False, help="The CAR file to write; it must not exist yet.")],
    settings_file: SettingsFile = None,
) -> None:
    """Export a repository to a CAR file. To check the file: openmeet repo verify FILE."""
    with loading():
        from programs.operations.pds import repositories
    repositories.export_repository(did, file, settings_file)
