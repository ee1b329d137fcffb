"""Options of ``openmeet import``: read a file from ``openmeet export``: a whole site into an empty database, or one
person's data.
"""

from pathlib import Path
from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import OfTenant, SettingsFile, loading, role

app = role()

From = Annotated[Path, typer.Argument(help="The file that `openmeet export` wrote.", exists=True, dir_okay=False)]


@app.command()
def import_(source: From, tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Import a whole site (into an empty database) or one person's data, depending on the file."""
    with loading():
        from programs.operations import import_
    import_.import_file(source, tenant, settings_file)
