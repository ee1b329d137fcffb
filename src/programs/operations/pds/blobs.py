"""Quotas of blobs (``openmeet pds quota DID``), and deleting those that nothing refers to (``openmeet pds sweep``)."""

from pathlib import Path

import typer

from aurora_locus.blobs import quotas
from aurora_locus.blobs.sweep import sweep_all
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PdsSettings
from groundwork.clock import SECOND
from groundwork.database.transaction import Database
from programs.command_line import print_json, say, with_count, with_size
from programs.operations.pds.repository_access import did_of, run_on_repositories
from programs.operations.pds.server_access import run_on_database


def show_or_set_quota(
    did: str, max_bytes: int | None, settings_file: Path | None, *, reset: bool, as_json: bool
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
            say(f"used   {with_size(stored)}")
            say(f"quota  {with_size(quota)}")

    run_on_database(settings_file, run)


def sweep(settings_file: Path | None, *, as_json: bool) -> None:
    """Delete blobs without a record and files without a database row if they are older than an hour. Move the
    files of taken-down blobs.
    """

    async def run(repositories: Repositories, settings: PdsSettings) -> None:
        now = repositories.clock.now()
        swept = await sweep_all(repositories.blobs, now, round(settings.blob_grace * SECOND))
        if as_json:
            print_json({"uploads": swept.uploads, "files": swept.files, "orphans": swept.orphans, "moved": swept.moved})
            return
        say(f"{with_count(swept.uploads, 'upload')} without a record removed")
        say(f"{with_count(swept.files + swept.orphans, 'file')} removed, {swept.orphans:,} of them unknown")
        say(f"{with_count(swept.moved, 'file')} moved into quarantine or back")

    run_on_repositories(settings_file, run)
