"""Cache of the validity of sessions, which is checked on every request of an app. An entry is kept for two seconds and
dropped when this process ends the session. If another process ends it, this is noticed within those two seconds.
"""

from cachetools import LRUCache

from at_protocol.syntax.did import Did
from groundwork.clock import SECOND, Clock, Instant
from groundwork.database.transaction import Database

MAX_AGE = 2 * SECOND
# About 300 bytes per entry.
_KEPT = 8192

_LIVES = """
    select s.did from oauth_sessions s join accounts a on a.did = s.did
     where s.id = :id and s.expires_at > :now and s.created_at >= a.tokens_valid_after
"""


class SessionCache:
    """One process's cache of the sessions in use."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        # Key: session id. Value: its account, when it was read, and the change counter at that time.
        self._known: LRUCache[str, tuple[Did | None, Instant, int]] = LRUCache(_KEPT)
        self._changed: LRUCache[Did, int] = LRUCache(_KEPT)
        self._changes = 0

    async def owner_of(self, session_id: str) -> Did | None:
        """Return the session's account; None if the session has ended or the account's tokens were revoked."""
        now = self._clock.now()
        cached = self._known.get(session_id)
        if cached is not None and now < cached[1] + MAX_AGE:
            owner, _, changes = cached
            if owner is None or self._changed.get(owner, -1) < changes:
                return owner
        changes = self._changes
        async with self._db.reader() as reader:
            row = await reader.fetch_one(_LIVES, id=session_id, now=reader.now)
        owner = None if row is None else Did(row["did"])
        # If a session was ended during the read, the result may be outdated.
        if changes == self._changes:
            self._known[session_id] = (owner, now, changes)
        return owner

    def forget(self, session_id: str) -> None:
        """Forget one session. Call this after the commit that ends it."""
        self._changes += 1
        self._known.pop(session_id, None)

    def forget_account(self, did: Did) -> None:
        """Forget an account's sessions. Call this after ending all of them, or after changing what the account may do."""
        self._changed[did] = self._changes
        self._changes += 1
