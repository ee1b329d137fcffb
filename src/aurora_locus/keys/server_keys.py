"""The server's own secrets: generated at the first start and sealed in the database. The sealing key is in a file next
to it.

Settings take precedence over stored values, so that operators who use a secret store can pass the keys by environment
variables.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path

from groundwork.database.transaction import Database, Writer
from groundwork.sealing import Sealer, keys_of_file, parse_keys

SESSION_SECRET = "session_tokens"  # noqa: S105 - the name of a purpose
EMAIL_TOKENS = "email_tokens"
ROTATION_KEY = "plc_rotation"
NEXT_ROTATION_KEY = "plc_rotation_next"
LABELS = "labels"
PAGE_FORMS = "page_forms"
SECOND_FACTORS = "second_factors"
OAUTH_TOKENS = "oauth_access_tokens"
OAUTH_REFRESH = "oauth_refresh_tokens"
OAUTH_NONCES = "oauth_nonces"

_SECRET_BYTES = 32

_FIND = "select sealed from server_keys where purpose = :purpose"
_INSERT = """
    insert into server_keys (purpose, sealed, created_at) values (:purpose, :sealed, :created_at)
    on conflict (purpose) do nothing
"""
_PUT = """
    insert into server_keys (purpose, sealed, created_at) values (:purpose, :sealed, :created_at)
    on conflict (purpose) do update set sealed = excluded.sealed, created_at = excluded.created_at
"""


def sealing_keys(setting: str, folder: Path) -> Sequence[bytes]:
    """Return the sealing keys, newest first: from the setting, or from ``sealing.key`` in the folder.

    Raises ValueError if the text is not a list of keys.
    """
    return parse_keys(setting) if setting else keys_of_file(folder / "sealing.key")


def purpose_of(name: str) -> str:
    """The sealing purpose of a server key."""
    return f"aurora_locus/server_key/{name}"


def put(w: Writer, sealer: Sealer, purpose: str, secret: bytes) -> None:
    """Store the key for a purpose, replacing an earlier one."""
    w.execute(_PUT, purpose=purpose, sealed=sealer.seal(secret, purpose_of(purpose)), created_at=w.now)


def drop(w: Writer, purpose: str) -> None:
    """Delete the key for a purpose."""
    w.execute("delete from server_keys where purpose = :purpose", purpose=purpose)


async def find_or_make(db: Database, sealer: Sealer, purpose: str) -> bytes:
    """Return the 32 secret bytes for a purpose. Concurrent first starts agree on one value."""
    sealed_for = purpose_of(purpose)

    def work(w: Writer) -> bytes:
        new_secret = sealer.seal(secrets.token_bytes(_SECRET_BYTES), sealed_for)
        w.execute(_INSERT, purpose=purpose, sealed=new_secret, created_at=w.now)
        row = w.fetch_one(_FIND, purpose=purpose)
        if row is None:
            raise LookupError(f"the server key {purpose} was stored and is not there")
        return bytes(row["sealed"])

    async with db.reader() as reader:
        row = await reader.fetch_one(_FIND, purpose=purpose)
    sealed_secret = bytes(row["sealed"]) if row is not None else await db.write(work)
    return sealer.unseal(sealed_secret, sealed_for)
