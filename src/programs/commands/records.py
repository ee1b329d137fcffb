"""Options of ``openmeet records inspect FILE.json``: how calendar records are read, and which fields are stored
unmapped.
"""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import AsJson, loading, noun

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
    with loading():
        from programs.operations import records
    records.inspect(file, as_json=as_json)
