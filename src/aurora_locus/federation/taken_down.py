"""Accounts and records that operators have taken down, and suspended accounts, for streams that leave them out. They
are reloaded at most once a second.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from at_protocol.sync.jetstream_writing import JetstreamLine
from groundwork.clock import SECOND, Clock, Instant
from groundwork.database.transaction import Database

_FRESH_FOR: Final = SECOND
_ACCOUNTS: Final = """
    select did from accounts where takedown_ref is not null or suspended_at is not null order by did
"""
_RECORDS: Final = "select did, collection, rkey from record_takedowns order by did, collection, rkey"


@dataclass(slots=True)
class TakedownIndex:
    """Taken-down and suspended accounts, and records by account, collection and key. The sets are small, because
    operators decide about each entry.
    """

    db: Database
    clock: Clock
    _accounts: frozenset[str] = frozenset()
    _records: frozenset[tuple[str, str, str]] = frozenset()
    _read_at: Instant | None = None
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refresh(self) -> None:
        """Reload the decisions, unless that happened less than a second ago. Subscribers that call this at the same time
        share one read.
        """
        if self._is_fresh():
            return
        async with self._reading:
            if self._is_fresh():
                return
            now = self.clock.now()
            async with self.db.reader() as reader:
                accounts = await reader.fetch(_ACCOUNTS)
                records = await reader.fetch(_RECORDS)
            self._accounts = frozenset(row["did"] for row in accounts)
            self._records = frozenset((row["did"], row["collection"], row["rkey"]) for row in records)
            self._read_at = now

    def _is_fresh(self) -> bool:
        return self._read_at is not None and self.clock.now() - self._read_at < _FRESH_FOR

    def hides(self, line: JetstreamLine) -> bool:
        """Whether the event is about a record that is taken down, or that is hidden with its account."""
        if line.rkey is None or line.collection is None:
            return False
        return line.did in self._accounts or (line.did, line.collection, line.rkey) in self._records
