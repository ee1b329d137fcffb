"""Options of ``openmeet calendar inspect FILE.ics``: how the importer reads a calendar file, component by component."""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import AsJson, loading, noun

app = noun("Inspect calendar files.")


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="An iCalendar file (.ics).")],
    as_json: AsJson = False,
) -> None:
    """Show each event as the importer reads it, its next dates, and warnings. Exits with 1 if it is not a calendar."""
    with loading():
        from programs.operations import calendar
    calendar.inspect(file, as_json=as_json)
