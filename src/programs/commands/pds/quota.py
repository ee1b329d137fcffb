"""``openmeet pds quota DID``: the storage quota of an account's blobs, and how much of it is used."""

from typing import Annotated

import typer

from aurora_locus.blobs import quotas
from aurora_locus.settings import PdsSettings
from groundwork.database.transaction import Database
from programs.command_line import AsJson, SettingsFile, print_json, role, say
from programs.commands.pds.opening import did_of
from programs.commands.pds.reaching import run_on_database

app = role()


@app.command()
def main(
    did: Annotated[str, typer.Argument(help="DID of the account.")],
    max_bytes: Annotated[
        int | None, typer.Option("--set", min=0, help="Set this quota for the account, in bytes.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Reset the account to the server's default quota.")] = False,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the storage quota and usage of an account's blobs, or set the account's quota."""
    if max_bytes is not None and reset:
        raise typer.BadParameter("--set and --reset cannot be combined.")
    whose = did_of(did)

    async def run(db: Database, settings: PdsSettings) -> None:
        if max_bytes is not None or reset:
            await db.write(lambda w: quotas.set_quota(w, whose, max_bytes))
        async with db.reader() as reader:
            quota, stored = await quotas.quota_and_usage(reader, whose, settings.blob_quota)
        if as_json:
            print_json({"did": whose, "quota_bytes": quota, "stored_bytes": stored})
        else:
            say(f"{stored} of {quota} bytes")

    run_on_database(settings_file, run)
