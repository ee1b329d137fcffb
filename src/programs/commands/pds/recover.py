"""Options of ``openmeet pds recover``: move an account with its recovery key, without its old server."""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import AsJson, loading, role
from programs.commands.pds.options import Development, Directory, Identity, KeyFile, Server

app = role()

Archive = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="The account's archive (ZIP), to restore all its data."),
]
HandleThere = Annotated[str, typer.Option(help="Handle of the account on the new server.")]
EmailThere = Annotated[str, typer.Option(help="E-mail address of the account on the new server.")]
PasswordThere = Annotated[
    str,
    typer.Option(
        prompt="Password on the new server",
        hide_input=True,
        envvar="OPENMEET_NEW_PASSWORD",
        help="Password for the new server; you are asked if it is not given.",
    ),
]
InviteCode = Annotated[str, typer.Option(help="Invite code of the new server, if it requires one.")]


@app.command()
def main(
    identity: Identity,
    key_file: KeyFile,
    to: Server,
    handle: HandleThere,
    email: EmailThere,
    password: PasswordThere,
    archive: Archive = None,
    invite_code: InviteCode = "",
    plc_url: Directory = "",
    dev: Development = False,
    as_json: AsJson = False,
) -> None:
    """Create the account on a new server, import the archive, and point the identity there.

    The old server is not contacted, because it may be gone. After a failure, the same command continues where it
    stopped. If the account is already on the new server, use `openmeet pds repoint`.
    """
    with loading():
        from programs.operations.pds import recovery
    recovery.recover(
        identity, key_file, to, handle, email, password, archive, invite_code, plc_url, dev=dev, as_json=as_json
    )
