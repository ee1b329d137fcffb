"""Options of ``openmeet matrix …``: the Matrix bridge, for operators."""

from pathlib import Path
from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun

app = noun("Connect chat rooms to a Matrix homeserver.")

Out = Annotated[Path, typer.Option("--out", dir_okay=False, help="Where to write the registration file.")]
Bot = Annotated[str, typer.Option("--bot", help="The user of the older installation that runs its rooms: @bot:server.")]
BotToken = Annotated[
    Path, typer.Option("--bot-token", exists=True, dir_okay=False, help="A file with the as_token of its registration.")
]
Apply = Annotated[bool, typer.Option("--apply", help="Take the rooms over. Without this option, nothing is changed.")]
Renew = Annotated[bool, typer.Option("--renew", help="Replace existing files with new tokens.")]


@app.command(name="registration")
def registration_(
    out: Out = Path("openmeet-registration.yaml"), renew: Renew = False, settings_file: SettingsFile = None
) -> None:
    """Write the file that the homeserver needs and the file with our token. Only you can read them."""
    with loading():
        from programs.operations import matrix
    matrix.write_files(out, settings_file, renew=renew)


@app.command()
def check(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Check whether the bridge works, and if not, say why."""
    with loading():
        from programs.operations import matrix
    matrix.check(tenant, settings_file, as_json=as_json)


@app.command()
def rooms(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List mirrored rooms, those with problems first, with what waits for the homeserver and the last error."""
    with loading():
        from programs.operations import matrix
    matrix.show_rooms(tenant, settings_file, as_json=as_json)


@app.command()
def reconcile(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Compare every mirrored room with the homeserver now: members, power levels, name, and messages that were not
    passed on.
    """
    with loading():
        from programs.operations import matrix
    matrix.reconcile(tenant, settings_file)


@app.command()
def adopt(
    bot: Bot,
    bot_token: BotToken,
    applies: Apply = False,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Take over the rooms of an older installation whose data was imported. Without --apply, show what would happen to
    each room.
    """
    with loading():
        from programs.operations import matrix
    matrix.adopt(bot, bot_token, tenant, settings_file, applies=applies, as_json=as_json)
