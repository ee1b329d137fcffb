"""Erased records: a keyed hash of each URI or DID, which reveals nothing, with the rev up to which it was erased.

A late or repeated message must not bring back a record that its author deleted: a message about this URI, or from this
DID, counts only if its rev is greater. The keys are derived from the sealing keys, newest first. New hashes use the
newest key; lookups try all of them.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence

from groundwork.database.transaction import Reader, Transaction

PUT = """
    insert into erased_records (hash, rev, erased_at) values (:hash, :rev, :now)
        on conflict (hash) do update set rev = excluded.rev, erased_at = excluded.erased_at
            where excluded.rev > erased_records.rev
"""

ANY = "select 1 as one from erased_records limit 1"
FIND = "select hash, rev from erased_records where hash in :hashes"


async def note_erased(tx: Transaction, keys: Sequence[bytes], revs: Mapping[str, str]) -> None:
    """Store the rev up to which records are erased, by URI or by DID (all records of an account). Names are stored as
    hashes.
    """
    if not keys:
        raise ValueError("erasing needs a key")
    rows = [{"hash": _hash(keys[0], name), "rev": rev, "now": tx.now} for name, rev in sorted(revs.items())]
    await tx.execute_many(PUT, rows)


async def erased_up_to(reader: Reader, keys: Sequence[bytes], names: Iterable[str]) -> dict[str, str]:
    """Return the rev up to which each of these names is erased. Names that are not erased are missing."""
    if not keys or await reader.fetch_one(ANY) is None:
        return {}
    hashes = {_hash(key, name): name for name in names for key in keys}
    if not hashes:
        return {}
    revs_by_name: dict[str, str] = {}
    for row in await reader.fetch(FIND, hashes=list(hashes)):
        name = hashes[bytes(row["hash"])]
        revs_by_name[name] = max(revs_by_name.get(name, ""), row["rev"])
    return revs_by_name


def _hash(key: bytes, name: str) -> bytes:
    return hmac.digest(key, name.encode(), hashlib.sha256)
