"""Options of ``openmeet pds migrate in|out``: move an account between this server and another one, with all its data."""

from pathlib import Path
from typing import Annotated

import typer

from programs.command_line import SettingsFile, loading, noun

app = noun(
    "Move an account with all its data. Passwords are asked for, or read from OPENMEET_OLD_PASSWORD and "
    "OPENMEET_NEW_PASSWORD."
)

Who = Annotated[str, typer.Argument(help="Handle or DID of the account; not needed to continue with --state.")]
Handle = Annotated[str, typer.Option(help="Full handle on the new server.")]
Email = Annotated[str, typer.Option(help="E-mail address for the new server.")]
InviteCode = Annotated[str, typer.Option(help="Invite code of the new server, if it requires one.")]
RecoveryKey = Annotated[str, typer.Option(help="Your own rotation key (did:key), ranked before the new server's.")]
DeleteAfter = Annotated[
    int,
    typer.Option(min=0, help="Days after which the old server may delete its copy; 0: it keeps the copy, deactivated."),
]
StateFile = Annotated[
    Path, typer.Option("--state", help="File with the progress, to continue later; it contains no secrets.")
]
_STATE = Path("openmeet-move.json")
Yes = Annotated[bool, typer.Option("--yes", help="Complete the migration even if something could not be copied.")]


@app.command("in")
def move_in(
    who: Who = "",
    old: Annotated[str, typer.Option("--from", help="The old server. Default: the one that the identity names.")] = "",
    handle: Handle = "",
    email: Email = "",
    new: Annotated[str, typer.Option("--to", help="The new server. Default: the one in the settings.")] = "",
    invite_code: InviteCode = "",
    recovery_key: RecoveryKey = "",
    delete_after: DeleteAfter = 0,
    state_file: StateFile = _STATE,
    yes: Yes = False,
    settings_file: SettingsFile = None,
) -> None:
    """Move an account to this server. After a failure, run the same command again, or use --state alone, to continue
    where it stopped.
    """
    with loading():
        from programs.operations.pds import migrate
    migrate.move_in(
        who, old, handle, email, new, invite_code, recovery_key, delete_after, state_file, settings_file, yes=yes
    )


@app.command("out")
def move_out(
    who: Who = "",
    new: Annotated[str, typer.Option("--to", help="The new server, as https://pds.example.com.")] = "",
    handle: Handle = "",
    email: Email = "",
    old: Annotated[str, typer.Option("--from", help="The old server. Default: the one in the settings.")] = "",
    invite_code: InviteCode = "",
    recovery_key: RecoveryKey = "",
    delete_after: DeleteAfter = 0,
    state_file: StateFile = _STATE,
    yes: Yes = False,
    settings_file: SettingsFile = None,
) -> None:
    """Move an account from this server to any other PDS."""
    with loading():
        from programs.operations.pds import migrate
    migrate.move_out(
        who, new, handle, email, old, invite_code, recovery_key, delete_after, state_file, settings_file, yes=yes
    )
