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
    target = RecoveryTarget(to.rstrip("/"), handle.removeprefix("@").lower(), email, password, invite_code)

    async def work(means: RecoveryContext) -> None:
        with nullcontext() if archive is None else open_account_file(archive) as file:
            if file is not None and file.did != means.did:
                raise typer.BadParameter(f"the archive belongs to {file.did}", param_hint="--archive")
            status = await move(means, target, file, (lambda _line: None) if as_json else say)
        if as_json:
            print_json({"did": means.did, "service": target.service, "handle": target.handle, "status": status})

    run_with_key(identity, key_file, plc_url, work, dev=dev)
