"""Show or set the storage quota of an account's blobs (``openmeet pds quota DID``)."""

from pathlib import Path

import typer

from aurora_locus.blobs import quotas
from aurora_locus.settings import PdsSettings
from groundwork.database.transaction import Database
from programs.command_line import print_json, say, with_size
from programs.operations.pds.opening import did_of
from programs.operations.pds.reaching import run_on_database


def show_or_set(did: str, max_bytes: int | None, settings_file: Path | None, *, reset: bool, as_json: bool) -> None:
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
            say(f"used   {with_size(stored)}")
            say(f"quota  {with_size(quota)}")

    run_on_database(settings_file, run)
