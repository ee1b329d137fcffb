"""The server's own secrets: made at the first start, kept sealed in the database; the key that seals lies beside it.

A setting goes before what is stored: operators who keep secrets elsewhere give them by environment.
"""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from groundwork.database.transaction import Database, Writer
from groundwork.sealing import Sealer, fresh_key, parse_keys

SESSION_SECRET = "session_tokens"  # noqa: S105 - the name of a purpose
ROTATION_KEY = "plc_rotation"

_SECRET_BYTES = 32

_FIND = "select sealed from server_keys where purpose = :purpose"
_INSERT = """
    insert into server_keys (purpose, sealed, created_at) values (:purpose, :sealed, :created_at)
    on conflict (purpose) do nothing
"""


def sealing_keys(setting: str, folder: Path) -> Sequence[bytes]:
    """The keys that seal, newest first: the setting's, or those of ``sealing.key``, which is made when it is missing.

    Raises ValueError for text that is no list of keys.
    """
    if setting:
        return parse_keys(setting)
    path = folder / "sealing.key"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return parse_keys(path.read_text(encoding="ascii"))
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(fresh_key() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return parse_keys(path.read_text(encoding="ascii"))


async def find_or_make(db: Database, sealer: Sealer, purpose: str) -> bytes:
    """The 32 secret bytes for a purpose; two first starts at once agree on one."""
    sealed_for = f"aurora_locus/server_key/{purpose}"

    def work(w: Writer) -> bytes:
        fresh = sealer.seal(secrets.token_bytes(_SECRET_BYTES), sealed_for)
        w.execute(_INSERT, purpose=purpose, sealed=fresh, created_at=w.now)
        row = w.fetch_one(_FIND, purpose=purpose)
        if row is None:
            raise LookupError(f"the server key {purpose} was stored and is not there")
        return bytes(row["sealed"])

    async with db.reader() as reader:
        row = await reader.fetch_one(_FIND, purpose=purpose)
    sealed = bytes(row["sealed"]) if row is not None else await db.write(work)
    return sealer.unseal(sealed, sealed_for)
