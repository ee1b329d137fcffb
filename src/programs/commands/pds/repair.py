"""Options of ``openmeet pds repair DID``: repair a damaged repository and announce it."""

from typing import Annotated

import typer

from programs.command_line import AsJson, SettingsFile, loading, role

app = role()


@app.command()
def main(
    did: Annotated[str, typer.Argument(help="DID of the repository.")],
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild the index and counts from the blocks, or the tree from the index if nodes are lost, and sign a new
    commit.

    Lists the records that are lost. Exits with 1 if something is still wrong afterwards.
    """
    with loading():
        from programs.operations.pds import repositories
    repositories.repair(did, settings_file, as_json=as_json)
