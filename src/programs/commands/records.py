"""``openmeet records inspect FILE.json``: how calendar records are read, and which fields are stored unmapped."""

from pathlib import Path
from typing import Annotated

import typer

from groundwork.clock import SystemClock
from groundwork.errors import InvalidInput
from openmeet.network.records.inspect import inspect_file, lines_of
from programs.command_line import AsJson, noun, print_json, say

app = noun("Show how calendar records are read.")


@app.command()
def inspect(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            readable=True,
            help="A record, a response of getRecord or listRecords, or a file with several of them.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show how each record is read: every field and where it came from, and what is stored without being mapped, and
    why.

    Exits with 1 if the file is not JSON or contains no calendar record.
    """
    try:
        understood = inspect_file(file.read_bytes(), now=SystemClock().now())
    except InvalidInput as wrong:
        say(f"{file}: {wrong.why}", err=True)
        raise typer.Exit(1) from wrong
    if as_json:
        print_json(understood)
    else:
        for one in understood:
            for line in lines_of(one):
                say(line)
            typer.echo("")
    if not any(one.understood_as for one in understood):
        raise typer.Exit(1)
