"""Export a site or one person's data (``openmeet export``)."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from groundwork.clock import SystemClock
from groundwork.errors import NotFound, Refused
from openmeet.domain.data_export.person import export_document
from openmeet.domain.data_export.tenant import write
from openmeet.domain.users.queries import by_email
from programs.command_line import say
from programs.platform import Platform, run_on_platform
from programs.platform_settings import read_settings_of_installation
from programs.running import run_command


def export(to: Path, person: str, tenant: str, settings_file: Path | None) -> None:
    """Export the whole site, or one person's data, to a file that only you can read."""
    if to.exists():
        raise Refused(f"{to} already exists. Choose another name.")
    if person:
        _export_person(to, person, tenant, settings_file)
    else:
        _export_site(to, tenant, settings_file)


def _export_person(to: Path, email: str, tenant: str, settings_file: Path | None) -> None:
    async def act(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            user = await by_email(reader, email.strip().lower())
        if user is None:
            raise NotFound(f"Nobody has the address {email}.")
        document = await export_document(platform.db, user.id, platform.settings.public_url)
        with _new_file(to) as file:
            file.write(msgspec.json.format(msgspec.json.encode(document), indent=1))
        say(f"{to}: all data of {user.display_name or email}")

    run_on_platform(settings_file, tenant, act)


def _export_site(to: Path, tenant: str, settings_file: Path | None) -> None:
    settings = read_settings_of_installation(settings_file, tenant)
    rows = 0

    def on_progress(_table: str, count: int) -> None:
        nonlocal rows
        rows += count

    async def act() -> None:
        url, schema = settings.tenant_database_url, settings.database_schema
        with tempfile.TemporaryDirectory(dir=to.parent) as scratch, _new_file(to) as file:
            async for line in write(url, schema, Path(scratch), SystemClock().now(), settings.public_url, on_progress):
                file.write(line)
        say(f"{to}: {rows:,} rows")

    run_command(act)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file that only its owner can read. It is removed if the block fails, because half an export is none."""
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
        try:
            yield file
        except BaseException:
            path.unlink(missing_ok=True)
            raise
