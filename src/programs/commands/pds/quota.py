"""Options of ``openmeet pds quota DID``: the storage quota of an account's blobs, and how much of it is used."""

from typing import Annotated

import typer

from programs.command_line import AsJson, SettingsFile, loading, role

app = role()


@app.command()
def main(
    did: Annotated[str, typer.Argument(help="DID of the account.")],
    max_bytes: Annotated[
        int | None, typer.Option("--set", min=0, help="Set this quota for the account, in bytes.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Reset the account to the server's default quota.")] = False,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the storage quota and usage of an account's blobs, or set the account's quota."""
    with loading():
        from programs.operations.pds import blobs
    blobs.show_or_set_quota(did, max_bytes, settings_file, reset=reset, as_json=as_json)
