"""Options of ``openmeet pds adopt FOLDER``: import the data folder of a stopped reference PDS."""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import AsJson, loading, role

app = role()

Old = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The reference PDS's data folder.")]
Into = Annotated[
    Path | None,
    typer.Option(file_okay=False, help="The new data folder; it must be empty or not exist. Not needed for --dry-run."),
]
Environment = Annotated[
    Path | None, typer.Option(dir_okay=False, help="The old environment file. Default: pds.env in the folder.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Read and check everything, report what would be lost, write nothing.")
]


@app.command()
def main(
    folder: Old, into: Into = None, environment: Environment = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Import accounts, passwords, sessions, repositories, blobs, invites and the firehose's numbers, byte for byte.

    The old folder is only read. If something in it is damaged, nothing is written and the exit status is 1.
    """
    with loading():
        from programs.operations.pds import adopt
    adopt.adopt(folder, into, environment, dry_run=dry_run, as_json=as_json)
