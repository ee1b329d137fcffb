"""Repository signing keys: stored sealed, unsealed on first use, and cached in bounded memory.

A key can be reserved before its account exists (``com.atproto.server.reserveSigningKey``). It becomes current in the
transaction that creates the account.
"""

from cachetools import LRUCache

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.syntax.did import Did
from groundwork.clock import DAY
from groundwork.database.transaction import Database, Writer
from groundwork.errors import NotFound
from groundwork.sealing import Sealer

_CACHED_KEYS = 4096

# Anyone can reserve a key, so unused ones expire after a month.
RESERVED_FOR = 30 * DAY

_FIND = "select did_key, sealed from signing_keys where did = :did and state = 'current'"
_INSERT = """
    insert into signing_keys (did_key, did, sealed, state, created_at)
    values (:did_key, :did, :sealed, :state, :created_at)
"""
# If two requests reserve a key for one DID concurrently, the first key is kept.
_RESERVE = _INSERT + "    on conflict do nothing\n"
_SWEEP = "delete from signing_keys where state = 'reserved' and created_at < :before"
_RETIRE = "update signing_keys set state = 'retired' where did = :did and state = 'current'"
_TAKE = "update signing_keys set state = 'current', did = :did where did_key = :did_key and state = 'reserved'"
_FORGET = "delete from signing_keys where did = :did"
_FIND_RESERVED = "select did_key, sealed from signing_keys where did = :did and state = 'reserved'"
_FIND_RESERVED_AS = """
    select sealed from signing_keys where did_key = :did_key and state = 'reserved' and (did is null or did = :did)
"""


def purpose_of(did_key: str) -> str:
    """The sealing purpose of a signing key."""
    return f"aurora_locus/signing_key/{did_key}"


class SigningKeys:
    """Finds the current signing key of an account."""

    def __init__(self, db: Database, sealer: Sealer) -> None:
        self._db = db
        self._sealer = sealer
        self._opened: LRUCache[Did, K256PrivateKey] = LRUCache(_CACHED_KEYS)
        self._changes = 0

    async def signing_key(self, did: Did) -> K256PrivateKey:
        """Return the current signing key of this repository. Raises NotFound if the account is not on this server."""
        key = self._opened.get(did)
        if key is None:
            changes = self._changes
            async with self._db.reader() as reader:
                row = await reader.fetch_one(_FIND, did=did)
            if row is None:
                raise NotFound(f"There is no signing key of {did} on this server.", name="RepoNotFound")
            key = self._unsealed(row["sealed"], row["did_key"])
            # If a key changed during the read, the result may be outdated.
            if changes == self._changes:
                self._opened[did] = key
        return key

    async def reserved_key(self, did: Did) -> K256PrivateKey | None:
        """Return the key that is reserved for a DID without an account on this server."""
        async with self._db.reader() as reader:
            row = await reader.fetch_one(_FIND_RESERVED, did=did)
        return None if row is None else self._unsealed(row["sealed"], row["did_key"])

    async def reserved_as(self, did_key: str, did: Did) -> K256PrivateKey | None:
        """Return the key with this did:key if it is reserved for the DID or for anyone."""
        async with self._db.reader() as reader:
            row = await reader.fetch_one(_FIND_RESERVED_AS, did_key=did_key, did=did)
        return None if row is None else self._unsealed(row["sealed"], did_key)

    def make_current(self, w: Writer, did: Did, key: K256PrivateKey) -> None:
        """Store a key, which may be a reserved one, as the account's current key, and retire the previous one."""
        did_key = format_did_key(key.public)
        w.execute(_RETIRE, did=did)
        if not w.execute(_TAKE, did=did, did_key=did_key):
            self._insert(w, _INSERT, did, key, "current")
        w.after_commit(lambda: self.forget(did))

    def reserve(self, w: Writer, did: Did | None, key: K256PrivateKey) -> str:
        """Store a key for a future account. Return the did:key that is reserved for this DID, which may be an earlier
        one.
        """
        self._insert(w, _RESERVE, did, key, "reserved")
        row = None if did is None else w.fetch_one(_FIND_RESERVED, did=did)
        return format_did_key(key.public) if row is None else str(row["did_key"])

    def sweep_reserved(self, w: Writer) -> int:
        """Delete expired reservations and return how many."""
        return w.execute(_SWEEP, before=w.now - RESERVED_FOR)

    def remove(self, w: Writer, did: Did) -> None:
        """Delete all keys of a deleted account."""
        w.execute(_FORGET, did=did)
        w.after_commit(lambda: self.forget(did))

    def forget(self, did: Did) -> None:
        """Drop a cached key that may have changed, here or in another process."""
        self._changes += 1
        self._opened.pop(did, None)

    def _insert(self, w: Writer, statement: str, did: Did | None, key: K256PrivateKey, state: str) -> None:
        did_key = format_did_key(key.public)
        sealed_key = self._sealer.seal(key.to_bytes(), purpose_of(did_key))
        w.execute(statement, did_key=did_key, did=did, sealed=sealed_key, state=state, created_at=w.now)

    def _unsealed(self, sealed_key: bytes, did_key: str) -> K256PrivateKey:
        return K256PrivateKey.from_bytes(self._sealer.unseal(sealed_key, purpose_of(did_key)))
