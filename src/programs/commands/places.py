"""Options of ``openmeet places …``: the list of towns in which searches look up a place."""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import SettingsFile, loading, noun

app = noun("The list of towns in which searches look up a place.")

Name = Annotated[str, typer.Argument(help="A name as people type it: Köln, or Springfield, IL")]


@app.command()
def build(settings_file: SettingsFile = None) -> None:
    """Build the list now, which takes about ten seconds. Otherwise the first search by name builds it."""
    with loading():
        from programs.operations import places
    places.build(settings_file)


@app.command()
def add(
    file: Annotated[
        Path,
        typer.Argument(
            help="A GeoNames dump of one country (more towns and villages) or its list of postal codes: DE.zip, DE.txt",
            exists=True,
            dir_okay=False,
        ),
    ],
    settings_file: SettingsFile = None,
) -> None:
    """Add villages or postal codes from a file, and build the list again. They stay when it is built later."""
    with loading():
        from programs.operations import places
    places.add(file, settings_file)


@app.command()
def find(name: Name, settings_file: SettingsFile = None) -> None:
    """Show which places a name could mean, the most likely first."""
    with loading():
        from programs.operations import places
    places.find(name, settings_file)
