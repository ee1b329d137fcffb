"""Delete unreferenced blobs and unknown files; move files of taken-down blobs (``openmeet pds sweep``)."""

from pathlib import Path

from aurora_locus.blobs.sweep import sweep_all
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PdsSettings
from groundwork.clock import SECOND
from programs.command_line import print_json, say, with_count
from programs.operations.pds.opening import run_on_repositories


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
