"""Retention of backups: they are kept for a number of days. The newest backup is always kept."""

from datetime import UTC, datetime

from aurora_locus.maintenance.manifest import read_manifest
from aurora_locus.maintenance.vault import BLOBS, Vault
from aurora_locus.maintenance.verification import blob_digests
from groundwork.clock import Instant, from_datetime


async def prune(vault: Vault, older_than: Instant) -> tuple[int, int]:
    """Remove backups made before this instant, remains of interrupted ones, and unreferenced blobs. Return the number
    of backups and of blobs.

    No backup may be running, because its blobs are not listed yet.
    """
    complete = await vault.ids()
    names_to_keep = [name for name in complete if _made_at(name) >= older_than or name == complete[-1]]
    backup_names = {stored.key.split("/")[1] async for stored in vault.store.list("backups")}
    for name in sorted(backup_names - set(names_to_keep)):
        await vault.remove(name)
    used_digests: set[bytes] = set()
    for name in names_to_keep:
        used_digests |= await blob_digests(vault, await read_manifest(vault, name))
    blobs = 0
    if names_to_keep:
        async for stored in vault.store.list(BLOBS):
            if bytes.fromhex(stored.key.rpartition("/")[2]) not in used_digests:
                blobs += await vault.store.delete(stored.key)
    return len(backup_names - set(names_to_keep)), blobs


def _made_at(name: str) -> Instant:
    stamp = datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return from_datetime(stamp)
