"""Options of ``openmeet pds rotate-keys …``: rotate the signing key of an account, the rotation or the sealing key."""

from typing import Annotated

import typer

from programs.command_line import AsJson, SettingsFile, loading, noun
from programs.commands.pds.options import ServerUrl

app = noun("Replace keys: of an account, of the server, of stored secrets.")


@app.command()
def account(
    did: Annotated[str, typer.Argument(help="DID of the account.")],
    url: ServerUrl = "",
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Replace an account's signing key in the directory and here, and announce the change. The server must be running."""
    with loading():
        from programs.operations.pds import rotate_keys
    rotate_keys.signing_key(did, url, settings_file, as_json=as_json)


@app.command()
def sealing(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Re-encrypt stored secrets that use an older key with the first of PDS_SEALING_KEYS (or of sealing.key).

    First put the new key first in the list and restart every server. Afterwards, remove the old keys.
    """
    with loading():
        from programs.operations.pds import rotate_keys
    rotate_keys.sealing(settings_file, as_json=as_json)


@app.command()
def server(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Replace the server's rotation key in every identity here. Stop the server first, and start it again afterwards.

    The command can be interrupted and run again. The recovery keys of account owners keep their position.
    """
    with loading():
        from programs.operations.pds import rotate_keys
    rotate_keys.server(settings_file, as_json=as_json)
