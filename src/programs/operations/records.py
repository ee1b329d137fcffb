"""Show how calendar records are read (``openmeet records inspect``)."""

from pathlib import Path

import typer

from groundwork.clock import SystemClock
from groundwork.errors import InvalidInput
from openmeet.network.records.inspect import inspect_file, lines_of
from programs.command_line import print_json, say


def inspect(file: Path, *, as_json: bool) -> None:
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
