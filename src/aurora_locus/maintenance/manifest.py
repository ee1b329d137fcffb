"""Manifest of a backup. It is encrypted, like everything in a vault."""

import msgspec

from aurora_locus.maintenance.vault import MANIFEST, Vault, part_name
from groundwork.clock import Instant
from groundwork.errors import NotFound, Refused
from groundwork.sealing import CannotUnseal

VERSION = 1

SEALING_KEYS = "sealing_keys"
ROTATION_KEY = "plc_rotation"
SESSION_SECRET = "session_tokens"  # noqa: S105  # the name of a purpose


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Contents of a backup. ``revision`` is that of the schema, ``last_number`` the sequence number of the newest
    event, ``rows`` the row count of each table. ``missing`` lists blobs that have a row but no file.
    """

    version: int
    id: str
    made_at: int
    host: str
    program: str
    revision: str
    last_number: int
    rows: dict[str, int]
    blobs: int
    missing: list[str]
    bytes: int
    secrets: dict[str, str]

    @property
    def instant(self) -> Instant:
        return Instant(self.made_at)


async def read_manifest(vault: Vault, backup: str = "") -> Manifest:
    """Return the manifest of one backup, or of the newest. Raises NotFound, and Refused if it cannot be read or a newer
    program wrote it.
    """
    ids = await vault.backup_ids()
    if not ids or (backup and backup not in ids):
        raise NotFound("There is no such backup." if backup else "There is no complete backup in that place.")
    backup = backup or ids[-1]
    try:
        manifest = msgspec.json.decode(await vault.read_whole(part_name(backup, MANIFEST)), type=Manifest)
    except CannotUnseal:
        raise Refused(f"The backup {backup} is damaged: its manifest cannot be decrypted. Use another one.") from None
    if manifest.version != VERSION:
        raise Refused("This backup was made by a newer version of the program. Use that version.")
    return manifest
