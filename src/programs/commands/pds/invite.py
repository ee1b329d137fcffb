"""Options of ``openmeet pds invite …``: manage invite codes of the running server, over its administration API."""

from typing import Annotated

import typer

from programs.command_line import AsJson, SettingsFile, loading, noun
from programs.commands.pds.options import ServerUrl

app = noun("Invite codes of a running Aurora Locus.")


@app.command()
def create(
    count: Annotated[int, typer.Option(min=1, max=1000, help="Number of codes to create.")] = 1,
    uses: Annotated[int, typer.Option(min=1, help="Number of accounts that can be created with each code.")] = 1,
    account: Annotated[str, typer.Option("--for", help="DID of the account that receives the codes.")] = "",
    settings_file: SettingsFile = None,
    url: ServerUrl = "",
    as_json: AsJson = False,
) -> None:
    """Create invite codes and print one per line."""
    with loading():
        from programs.operations.pds import invites
    invites.create(count, uses, account, settings_file, url, as_json=as_json)


@app.command("list")
def list_codes(
    by_usage: Annotated[
        bool, typer.Option("--by-usage", help="Sort by number of uses instead of newest first.")
    ] = False,
    settings_file: SettingsFile = None,
    url: ServerUrl = "",
    as_json: AsJson = False,
) -> None:
    """List invite codes with their account and number of uses."""
    with loading():
        from programs.operations.pds import invites
    invites.list_codes(settings_file, url, by_usage=by_usage, as_json=as_json)


@app.command()
def disable(
    codes: Annotated[list[str], typer.Argument(help="Codes to disable.")],
    settings_file: SettingsFile = None,
    url: ServerUrl = "",
) -> None:
    """Disable invite codes. Codes that this server never issued are listed at the end; the exit status is then 1."""
    with loading():
        from programs.operations.pds import invites
    invites.disable(codes, settings_file, url)
