"""Options that several verbs of ``openmeet pds`` have."""

from pathlib import Path
from typing import Annotated

import typer

ServerUrl = Annotated[
    str,
    typer.Option("--url", help="Address of the server. Default: this machine, with the port in its settings."),
]

Identity = Annotated[str, typer.Argument(help="The identity (did:plc:…) that the key belongs to.")]
KeyFile = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The file with the recovery key.")]
Server = Annotated[str, typer.Option(help="The new server, as https://pds.example.com.")]
Directory = Annotated[str, typer.Option(envvar="PDS_DID_PLC_URL", help="The directory; else https://plc.directory.")]
Development = Annotated[bool, typer.Option("--dev", help="Allow servers on this machine and without HTTPS.")]
