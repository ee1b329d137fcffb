"""Options of ``openmeet pds repoint``: change only an account's server in the directory, with a recovery key."""

from typing import Annotated

import typer

from programs.command_line import AsJson, loading, role
from programs.commands.pds.options import Development, Directory, Identity, KeyFile, Server

app = role()

SigningKey = Annotated[str, typer.Option(help="The account's signing key (a did:key) on the new server.")]
RotationKey = Annotated[
    list[str], typer.Option(help="A rotation key (a did:key) of the new server; may be given more than once.")
]
HandleThere = Annotated[str, typer.Option(help="Handle on the new server. Default: the current one.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the signed operation as JSON and send nothing.")]


@app.command()
def main(
    identity: Identity,
    key_file: KeyFile,
    to: Server,
    signing_key: SigningKey,
    rotation_key: RotationKey,
    handle: HandleThere = "",
    plc_url: Directory = "",
    dry_run: DryRun = False,
    dev: Development = False,
    as_json: AsJson = False,
) -> None:
    """Sign the operation that names the server and its keys, and send it to the directory.

    The recovery key stays the first rotation key. A server lists its keys in getRecommendedDidCredentials.
    """
    with loading():
        from programs.operations.pds import recovery
    recovery.repoint(
        identity, key_file, to, signing_key, rotation_key, handle, plc_url, dry_run=dry_run, dev=dev, as_json=as_json
    )
