"""Cached validity of sessions, checked with every request of an app: kept for two seconds, dropped when this process ends one.
A session ended by another process is noticed after those two seconds.
"""

from cachetools import LRUCache

from at_protocol.syntax.did import Did
from groundwork.clock import SECOND, Clock, Instant
from groundwork.database.transaction import Database

MAX_AGE = 2 * SECOND
# About 300 bytes each.
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
        # By session: its account, when that was read, and the change counter at that time.
        self._known: LRUCache[str, tuple[Did | None, Instant, int]] = LRUCache(_KEPT)
        self._changed: LRUCache[Did, int] = LRUCache(_KEPT)
        self._changes = 0

    async def owner_of(self, session_id: str) -> Did | None:
        """The session's account; None if the session was ended, or the account's tokens were."""
        now = self._clock.now()
        known = self._known.get(session_id)
        if known is not None and now < known[1] + MAX_AGE:
            owner, _, changes = known
            if owner is None or self._changed.get(owner, -1) < changes:
                return owner
        changes = self._changes
        async with self._db.reader() as reader:
            row = await reader.fetch_one(_LIVES, id=session_id, now=reader.now)
        owner = None if row is None else Did(row["did"])
        # A session ended during the read may still appear in its result.
        if changes == self._changes:
            self._known[session_id] = (owner, now, changes)
        return owner

    def forget(self, session_id: str) -> None:
        """Call after the commit that ends a session."""
        self._changes += 1
        self._known.pop(session_id, None)

    def forget_account(self, did: Did) -> None:
        """Call after ending all of an account's sessions, or changing what the account may do."""
        self._changed[did] = self._changes
        self._changes += 1
