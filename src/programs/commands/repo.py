"""Options of ``openmeet repo verify FILE``: verify a repository (CAR) or an account archive (ZIP), down to every hash."""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import AsJson, loading, noun

app = noun("Verify repository files.")

InputFile = Annotated[
    Path,
    typer.Argument(exists=True, dir_okay=False, readable=True, help="A repository as a CAR, or an account's archive."),
]
DidDocumentFile = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, readable=True, help="The account's DID document, to check the signature."
    ),
]


@app.command()
def verify(
    file: InputFile,
    did_doc: DidDocumentFile = None,
    as_json: AsJson = False,
) -> None:
    """Check the header, the hash of every block, the shape of the tree, every record and the commit's signature.

    Exits with 1 and the reason if anything is wrong.
    """
    with loading():
        from programs.operations import repo
    repo.verify(file, did_doc, as_json=as_json)
