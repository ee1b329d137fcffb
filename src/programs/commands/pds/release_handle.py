"""Options of ``openmeet pds release-handle HANDLE``: end the quarantine of a handle that its last owner gave up."""

from typing import Annotated

import typer

from programs.command_line import SettingsFile, loading, role

app = role()


@app.command()
def main(
    handle: Annotated[str, typer.Argument(help="The handle to release.")],
    settings_file: SettingsFile = None,
) -> None:
    """Make a handle available to anybody before PDS_HANDLE_QUARANTINE has passed since its owner gave it up."""
    with loading():
        from programs.operations.pds import accounts
    accounts.release_handle(handle, settings_file)
