"""Options of ``openmeet pds import DID FILE.car``: replace a repository with the content of a file."""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import SettingsFile, loading, role

app = role()


@app.command()
def main(
    did: Annotated[str, typer.Argument(help="DID of the repository; the account must be on this server.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CAR file of this account's repository.")],
    settings_file: SettingsFile = None,
) -> None:
    """Replace all records of a repository with those of the file, in one commit, and announce it."""
    with loading():
        from programs.operations.pds import repositories
    repositories.replace_repository(did, file, settings_file)
