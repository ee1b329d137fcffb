"""What remains of records that were erased: a keyed hash of the uri with its rev, and nothing that it could be read from.

It serves one purpose: a late or repeated message must not bring back what its author deleted. Each hash is a barrier: a
message about this uri, or of this DID, counts only if its rev is greater. The keys are derived from the sealing keys,
newest first: the newest hashes, every one is looked for.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence

from groundwork.database.transaction import Reader, Transaction

PUT = """
    insert into erasures (hash, rev, erased_at) values (:hash, :rev, :now)
        on conflict (hash) do update set rev = excluded.rev, erased_at = excluded.erased_at where excluded.rev > erasures.rev
"""

ANY = "select 1 as one from erasures limit 1"
FIND = "select hash, rev from erasures where hash in :hashes"


async def note(tx: Transaction, keys: Sequence[bytes], revs: Mapping[str, str]) -> None:
    """Put a barrier at each name (a uri, or a DID for everything of it) at its rev."""
    if not keys:
        raise ValueError("erasing needs a key")
    rows = [{"hash": _hash(keys[0], name), "rev": rev, "now": tx.now} for name, rev in sorted(revs.items())]
    await tx.execute_many(PUT, rows)


async def barriers(reader: Reader, keys: Sequence[bytes], names: Iterable[str]) -> dict[str, str]:
    """The rev up to which each of these names is erased; those never erased are missing."""
    if not keys or await reader.fetch_one(ANY) is None:
        return {}
    hashes = {_hash(key, name): name for name in names for key in keys}
    if not hashes:
        return {}
    found: dict[str, str] = {}
    for row in await reader.fetch(FIND, hashes=list(hashes)):
        name = hashes[bytes(row["hash"])]
        found[name] = max(found.get(name, ""), row["rev"])
    return found


def _hash(key: bytes, name: str) -> bytes:
    return hmac.digest(key, name.encode(), hashlib.sha256)
