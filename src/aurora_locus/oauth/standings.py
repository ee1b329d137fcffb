"""Whether a session still stands, asked with every request of an app: kept for two seconds, forgotten when this process
ends one. What another process ended is noticed after those two seconds.
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


class Standings:
    """One process's knowledge of the sessions in use."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        # By session: whose it is, when that was read, and how many changes there had been.
        self._known: LRUCache[str, tuple[Did | None, Instant, int]] = LRUCache(_KEPT)
        self._changed: LRUCache[Did, int] = LRUCache(_KEPT)
        self._changes = 0

    async def owner_of(self, session_id: str) -> Did | None:
        """Whose session it is; None when it was ended, or its person's tokens were."""
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
        # What was ended while it was being read may have been alive in what was read.
        if changes == self._changes:
            self._known[session_id] = (owner, now, changes)
        return owner

    def forget(self, session_id: str) -> None:
        """For whoever ends a session, after the commit."""
        self._changes += 1
        self._known.pop(session_id, None)

    def forget_account(self, did: Did) -> None:
        """For whoever ends all of an account's, or changes what the account may do."""
        self._changed[did] = self._changes
        self._changes += 1
