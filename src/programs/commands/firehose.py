"""Options of ``openmeet firehose …``: watch event streams and check captured ones."""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import AsJson, loading, noun

app = noun("Watch an event stream; verify captured frames.")

# Where `openmeet up` and `openmeet pds` listen by default.
HERE = "http://localhost:3000"


@app.command()
def tail(
    url: Annotated[str, typer.Argument(help="A PDS or relay: http(s) or ws(s) address.")] = HERE,
    collection: Annotated[
        list[str] | None, typer.Option(help="Only operations in this collection; may be given several times.")
    ] = None,
    cursor: Annotated[int | None, typer.Option(help="Start after this sequence number. Default: from now on.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this number of lines.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document per line, with the record.")] = False,
) -> None:
    """Show decoded operations as they happen. Stop with Ctrl-C."""
    with loading():
        from programs.operations import firehose_tail
    firehose_tail.tail(url, collection or (), cursor, count, as_json=as_json)


@app.command()
def verify(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="File of frames, each after its length.")
    ],
    did_docs: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, readable=True, help="The authors' DID documents, by DID, as JSON."),
    ],
    as_json: AsJson = False,
) -> None:
    """Count the frames by kind; check every commit's signature and that its operations lead back to prevData.

    Exits with 1 when anything is wrong.
    """
    with loading():
        from programs.operations import firehose_verify
    firehose_verify.verify(file, did_docs, as_json=as_json)
