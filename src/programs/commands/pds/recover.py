"""``openmeet pds recover``: move an account with its recovery key, without its old server."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from programs.account_file import open_account_file
from programs.command_line import AsJson, print_json, role, say
from programs.commands.pds.recovery_options import Development, Directory, Identity, KeyFile, Server, run_with_key
from programs.recovery import RecoveryContext, RecoveryTarget, move

app = role()

Archive = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="The account's archive (ZIP), to take everything along."),
]
HandleThere = Annotated[str, typer.Option(help="The handle that the account shall have on the new server.")]
EmailThere = Annotated[str, typer.Option(help="The e-mail address for the new server.")]
PasswordThere = Annotated[
    str,
    typer.Option(
        prompt="Password on the new server",
        hide_input=True,
        envvar="OPENMEET_NEW_PASSWORD",
        help="The password for the new server; asked for when it is not given.",
    ),
]
InviteCode = Annotated[str, typer.Option(help="An invite code of the new server, where it asks for one.")]


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
    """Make the account on a new server, bring the archive, and point the identity there.

    The old server is not asked: it may be gone. After a failure the same command goes on where it stopped. An account that is on
    the new server already is pointed at by `openmeet pds repoint`.
    """
    wanted = RecoveryTarget(to.rstrip("/"), handle.removeprefix("@").lower(), email, password, invite_code)

    async def work(means: RecoveryContext) -> None:
        with nullcontext() if archive is None else open_account_file(archive) as file:
            if file is not None and file.did != means.did:
                raise typer.BadParameter(f"the archive is that of {file.did}", param_hint="--archive")
            status = await move(means, wanted, file, (lambda _line: None) if as_json else say)
        if as_json:
            print_json({"did": means.did, "service": wanted.service, "handle": wanted.handle, "status": status})

    run_with_key(identity, key_file, plc_url, work, dev=dev)
