"""Options of ``openmeet pds recovery-key``: make a recovery key on your own machine, or show its public part."""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import AsJson, loading, role

app = role()

File = Annotated[Path, typer.Argument(dir_okay=False, help="File of the key; created if it does not exist.")]
Whose = Annotated[str, typer.Option("--for", help="The identity (did:plc:…) that the key is for, noted in the file.")]
Show = Annotated[bool, typer.Option("--show", help="Create no key; show the public part of the key in the file.")]


@app.command()
def main(file: File, whose: Whose = "", show: Show = False, as_json: AsJson = False) -> None:
    """Create a key pair. The private key stays in the file; enter the public key on the recovery keys page."""
    with loading():
        from programs.operations.pds import recovery
    recovery.make_or_show_key(file, whose, show=show, as_json=as_json)
