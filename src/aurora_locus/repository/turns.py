"""Turns of several processes on one PostgreSQL database that write the same repository.

A process commits without asking the others as long as none of them queues; the statement that moves the head checks
this (``writer``). After a process has lost a race, for one second it queues before it plans a commit of that
repository, so that the writers of one repository take turns in order of arrival. On SQLite only one process writes, and
this module does nothing.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cachetools import TTLCache

from at_protocol.syntax.did import Did
from groundwork.database.deferred import opened
from groundwork.database.postgres import PostgresDatabase
from groundwork.database.transaction import Database

# Nobody waits longer than this for a response. After that, the status is 503.
WAIT_SECONDS = 10.0

_CONTENDED_SECONDS = 1.0
_REMEMBERED = 4096


class RepositoryTurns:
    """Turns of one process. Only one task at a time asks for a repository (``Repositories.locks``)."""

    def __init__(self, db: Database, *, wait_seconds: float = WAIT_SECONDS) -> None:
        database = opened(db)
        self._locks = database.locks if isinstance(database, PostgresDatabase) else None
        self._wait_seconds = wait_seconds
        self._contended: TTLCache[Did, bool] = TTLCache(_REMEMBERED, _CONTENDED_SECONDS, time.monotonic)

    @property
    def are_shared(self) -> bool:
        """Whether other processes may write the same repositories."""
        return self._locks is not None

    def lose(self, did: Did) -> None:
        """Record that another process moved the head first, so that this one queues for a while."""
        self._contended[did] = True

    def should_queue(self, did: Did) -> bool:
        """Whether another process has recently moved the head first."""
        return self._locks is not None and did in self._contended

    def queue_of(self, did: Did) -> int | None:
        """Return the key of the advisory lock in which writers of this repository queue; None if there are no other
        processes.
        """
        return None if self._locks is None else self._locks.key(did)

    @asynccontextmanager
    async def take(self, did: Did) -> AsyncIterator[None]:
        """Wait for the turn. Until it ends, no other process commits to this repository. Raises Unavailable on
        time-out.
        """
        if self._locks is None:
            yield
            return
        async with self._locks.hold(did, seconds=self._wait_seconds):
            yield
