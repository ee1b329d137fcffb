"""Verification of a backup: a database is restored from it and checked.

The database is an SQLite file in a temporary folder, whichever engine the backup came from.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from aurora_locus.blobs.uploads import object_name
from aurora_locus.maintenance import dump, integrity
from aurora_locus.maintenance.integrity import IntegrityReport
from aurora_locus.maintenance.manifest import Manifest
from aurora_locus.maintenance.vault import BLOBS, DATABASE, Vault, part_name
from aurora_locus.settings import PACKAGE
from groundwork.clock import SystemClock
from groundwork.database.dump import load_contents
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.errors import Refused
from groundwork.sealed_stream import sealed_size
from groundwork.sealing import CannotUnseal
from groundwork.telemetry.logs import log

DIGEST_BYTES = 32


async def verify(
    vault: Vault,
    manifest: Manifest,
    scratch: Path,
    progress: Callable[[str, int, int], None],
    *,
    fresh: AbstractSet[bytes] | None = None,
) -> IntegrityReport:
    """Restore the backup into a temporary database and check all of it. Findings are problems that already existed in
    the source.

    The blobs in ``fresh`` (all of them if it is None) are decrypted and hashed. The others were verified by an earlier
    backup, so only their presence is checked. Raises Refused if the backup does not contain what was written to it.
    """
    folder = scratch / f"proof-{manifest.id}"
    folder.mkdir(parents=True)
    url = f"sqlite://{(folder / 'proof.db').absolute()}"
    try:
        await load_database(vault, manifest, url, "", lambda done: progress("reading back", done, total(manifest)))
        # The backup may be of an older release, but the check needs the current tables.
        await migrate(url, "", PACKAGE)
        db = await open_database(url, clock=SystemClock(), reader_seconds=120)
        try:
            report = await integrity.examine(
                db,
                _BackedUpBlobs(vault, await blob_digests(vault, manifest), await _sizes(vault), fresh).size,
                on_progress=lambda done: progress("checking", done, 0),
            )
        finally:
            await db.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    unknown = [finding for finding in report.findings if not any(name in finding.what for name in _cids(manifest))]
    for finding in unknown:
        # An accurate copy of damaged data is still useful, so the damage is only reported.
        log.error("backup.finding", backup=manifest.id, about=finding.about, what=finding.what)
    return report


def _cids(manifest: Manifest) -> set[str]:
    return {name.rpartition("/")[2] for name in manifest.missing}


def total(manifest: Manifest) -> int:
    """The number of rows in a backup."""
    return sum(manifest.rows.values())


async def load_database(
    vault: Vault, manifest: Manifest, url: str, schema: str, on_progress: Callable[[int], None] = lambda _: None
) -> None:
    """Create the backup's schema in an empty database and fill it. Raises Refused."""
    await migrate(url, schema, PACKAGE, to=manifest.revision)
    done = 0

    def on_table(_table: str, rows: int) -> None:
        nonlocal done
        done += rows
        on_progress(done)

    try:
        async with load_contents(url, schema) as loader:
            counts = await dump.load(vault.read(part_name(manifest.id, DATABASE)), loader, on_table)
    except CannotUnseal as error:
        raise Refused(f"The backup {manifest.id} is damaged: {error}.") from error
    except ValueError as error:
        raise Refused(f"The backup {manifest.id} is not consistent: {error}.") from error
    if {name: number for name, number in counts.items() if number} != manifest.rows:
        raise Refused(f"The backup {manifest.id} has rows that do not match its manifest.")


async def blob_digests(vault: Vault, manifest: Manifest) -> set[bytes]:
    """Return the digests of the blobs of a backup. Raises Refused if the list is damaged."""
    try:
        text = await vault.read_whole(part_name(manifest.id, BLOBS))
    except CannotUnseal as error:
        raise Refused(f"The backup {manifest.id} is damaged: {error}.") from error
    digests = {text[start : start + DIGEST_BYTES] for start in range(0, len(text), DIGEST_BYTES)}
    if len(digests) != manifest.blobs:
        raise Refused(f"The backup {manifest.id} lists {len(digests)} blobs instead of {manifest.blobs}.")
    return digests


async def _sizes(vault: Vault) -> dict[bytes, int]:
    return {bytes.fromhex(stored.key.rpartition("/")[2]): stored.size async for stored in vault.store.list(BLOBS)}


class _BackedUpBlobs:
    """Looks up the blobs of one backup."""

    def __init__(
        self, vault: Vault, digests: set[bytes], sealed: dict[bytes, int], fresh: AbstractSet[bytes] | None
    ) -> None:
        self._vault = vault
        self._digests = digests
        self._sealed = sealed
        self._fresh = fresh

    async def size(self, did: Did, cid: Cid, size: int) -> int | None:
        """Return the size of a blob in the vault; None if it is missing, -1 if its content is wrong."""
        digest = self._vault.digest_of(object_name(did, cid))
        if digest not in self._digests or digest not in self._sealed:
            return None
        if self._sealed[digest] != sealed_size(size):
            return -1
        if self._fresh is not None and digest not in self._fresh:
            return size
        hashed = hashlib.sha256()
        try:
            async for piece in self._vault.read(self._vault.blob_name(digest)):
                hashed.update(piece)
        except CannotUnseal:
            return -1
        return size if bytes(cid).endswith(hashed.digest()) else -1
