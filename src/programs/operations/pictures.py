"""Move pictures between a folder and a bucket (``openmeet pictures …``)."""

from pathlib import Path

import typer

from groundwork.blobstore.copying import CopyProgress, copy_missing, remove_copied
from groundwork.errors import Refused
from openmeet.domain.media.store import open_pictures, pictures_folder
from openmeet.settings import PREFIX
from programs.platform_settings import community_named, read_installation_settings
from programs.running import run_command

# Number of pictures between two progress lines.
REPORTED_EVERY = 100


def move(tenant: str, settings_file: Path | None, *, back: bool, remove: bool) -> None:
    """Copy a community's pictures to the bucket named in the settings, skipping those that are already there.

    Run it with the new settings while the site still runs with the old ones, then restart the site and run it again.
    """
    settings = community_named(read_installation_settings(settings_file, sends_mail=False), tenant)
    if not settings.blobs:
        raise Refused(f"{PREFIX}BLOBS does not name a bucket. Set it to s3://bucket/folder first.")
    folder, bucket = pictures_folder(settings), open_pictures(settings, tenant)
    source, target = (bucket, folder) if back else (folder, bucket)

    def on_progress(copied: CopyProgress) -> None:
        if copied.looked_at % REPORTED_EVERY == 0:
            typer.echo(_progress_line(copied))

    async def run() -> None:
        copied = await copy_missing(source, target, on_progress)
        typer.echo(f"{_progress_line(copied)}. Done.")
        if remove:
            typer.echo(f"{await remove_copied(source, target):,} files removed from the source.")

    run_command(run)


def _progress_line(copied: CopyProgress) -> str:
    megabytes = copied.sent_bytes / 1_000_000
    return (
        f"{copied.looked_at:,} files checked: {copied.sent:,} copied ({megabytes:.1f} MB), {copied.known:,} there "
        "already"
    )
