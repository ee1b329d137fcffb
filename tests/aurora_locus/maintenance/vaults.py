"""Backup places with a passphrase that costs nothing to derive, and a PDS with some content."""

import os
from dataclasses import dataclass
from pathlib import Path

from aurora_locus.maintenance.backup import BackupSource
from aurora_locus.maintenance.manifest import ROTATION_KEY, SEALING_KEYS
from aurora_locus.maintenance.restore import RestoreTarget
from aurora_locus.maintenance.vault import Vault
from aurora_locus.repository.repositories import Repositories
from groundwork.blobstore.contract import BlobStore
from groundwork.blobstore.disk import DiskBlobStore
from groundwork.blobstore.open_ import open_folder
from tests.aurora_locus.blobs.uploading import refer, send
from tests.aurora_locus.hosted_repository import HostedRepository

MASTER = bytes(range(32))
# The key of the repositories under test (``conftest.assemble``), as the settings would contain it.
SEALING_KEY = "A" * 43
FRESH_KEY = b"\x01" * 32


def vault_in(place: Path | BlobStore) -> Vault:
    """A vault with its key, as if opened by a passphrase."""
    return Vault(open_folder(place) if isinstance(place, Path) else place, MASTER)


@dataclass(frozen=True)
class Place:
    """The location of a database of the test's engine, and of a second one."""

    url: str
    other: str


def source_of(url: str, repositories: Repositories, scratch: Path) -> BackupSource:
    return BackupSource(
        url=url,
        store=repositories.blobs.store,
        secrets={SEALING_KEYS: SEALING_KEY, ROTATION_KEY: "11" * 32},
        host="pds.test",
        version="test",
        scratch=scratch,
    )


def target_of(url: str, folder: Path) -> RestoreTarget:
    return RestoreTarget(url, DiskBlobStore(folder / "restored blobs"), (FRESH_KEY,))


async def fill(person: HostedRepository, records: int = 5, blobs: int = 2) -> None:
    """Write some records, some of them with pictures."""
    for number in range(records):
        await person.create(f"r{number}", f"number {number}")
    for number in range(blobs):
        picture = await send(person, os.urandom(20) + f"picture {number} of {person.did}".encode() * 100)
        await refer(person, f"picture{number}", picture)
