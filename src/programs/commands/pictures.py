"""Options of ``openmeet pictures …``: move pictures between a folder and a bucket."""

from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import OfTenant, SettingsFile, loading, noun

app = noun("Move pictures of events, groups and people between a folder and a bucket.")

Back = Annotated[bool, typer.Option("--back", help="Move from the bucket to the folder instead.")]
Remove = Annotated[
    bool,
    typer.Option(
        "--remove", help="Afterwards delete from the source all files that both places have with the same size."
    ),
]


@app.command()
def move(
    back: Back = False, remove: Remove = False, tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None
) -> None:
    """Copy a community's pictures to the bucket named in the settings, skipping those that are already there.

    Run it with the new settings while the site still runs with the old ones, then restart the site and run it again.
    """
    with loading():
        from programs.operations import pictures
    pictures.move(tenant, settings_file, back=back, remove=remove)
