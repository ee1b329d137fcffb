"""Options of ``openmeet export``: write a whole site, or one person's data, to a file that ``openmeet import`` can read
on another site.
"""

from pathlib import Path
from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import OfTenant, SettingsFile, loading, role

app = role()

To = Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.", dir_okay=False)]
Person = Annotated[str, typer.Option("--person", help="Only export the data of the person with this e-mail address.")]


@app.command()
def export(to: To, person: Person = "", tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Export the whole site, or one person's data, to a file that only you can read."""
    with loading():
        from programs.operations import export
    export.export(to, person, tenant, settings_file)
