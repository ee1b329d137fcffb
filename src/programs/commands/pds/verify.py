"""Options of ``openmeet pds verify``: verify all stored data, even while the server is running. Writes nothing."""

from typing import Annotated

import typer

from programs.command_line import AsJson, SettingsFile, loading, role

app = role()


@app.command()
def main(
    did: Annotated[
        str, typer.Argument(help="DID of one repository. Default: all of them, the event log and the accounts.")
    ] = "",
    read_blobs: Annotated[
        bool,
        typer.Option("--read-blobs", help="Read every blob and check its hash, not only its size."),
    ] = False,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify trees, signatures, indexes, references, blob files and event numbers.

    Exits with 1 if anything is wrong. To repair a repository: openmeet pds repair.
    """
    with loading():
        from programs.operations.pds import repositories
    repositories.verify(did, settings_file, read_blobs=read_blobs, as_json=as_json)
