"""State of this process's repositories: locks and bounded caches. It is in memory only, and can be lost at any time.

Several processes on one PostgreSQL database may write the same repository. A process commits without asking the others
as long as none of them queues; the statement that moves the head checks this (``writer``). After a process has lost a
race, for one second it queues before it plans a commit of that repository, so that the writers of one repository take
turns in order of arrival. On SQLite only one process writes, and there are no turns.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

from cachetools import LRUCache, TTLCache

from at_protocol.syntax import tid
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid, TidClock
from aurora_locus.blobs.uploads import BlobService
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.repository import export_pins, import_sweep, reader, writer
from aurora_locus.repository.json_forms import JsonForms
from aurora_locus.repository.model import Head
from aurora_locus.repository.nodes import NodeCache
from aurora_locus.repository.statuses import not_hosted
from aurora_locus.sequencer.live_events import LiveEvents
from groundwork.clock import Clock, Instant
from groundwork.database.deferred import opened
from groundwork.database.postgres import PostgresDatabase
from groundwork.database.transaction import Database, Writer
from groundwork.isolation import each_alone
from groundwork.memory_budget import MemoryBudget

# Nobody waits longer than this for a response. After that, the status is 503.
WAIT_SECONDS = 10.0

_CONTENDED_SECONDS = 1.0
_REMEMBERED = 4096
_CACHED_HEADS = 4096
# Blocks that exports have read and not sent yet. A single one takes a sixth of it.
_EXPORT_BYTES = 64 * 1024 * 1024


class RepositoryTurns:
    """Whose turn it is to commit, when several processes write the same repositories. Within this process, only one task
    at a time asks for a repository (``Repositories.locks``).
    """

    def __init__(self, db: Database, *, wait_seconds: float = WAIT_SECONDS) -> None:
        database = opened(db)
        self._locks = database.locks if isinstance(database, PostgresDatabase) else None
        self._wait_seconds = wait_seconds
        self._contended: TTLCache[Did, bool] = TTLCache(_REMEMBERED, _CONTENDED_SECONDS, time.monotonic)

    @property
    def are_shared(self) -> bool:
        """Whether other processes may write the same repositories."""
        return self._locks is not None

    def note_lost_race(self, did: Did) -> None:
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


class Repositories:
    """The repositories of one process and database. Created by ``open_repositories``."""

    def __init__(
        self,
        db: Database,
        live: LiveEvents,
        keys: SigningKeys,
        blobs: BlobService,
        clock: Clock,
        *,
        clock_id: int,
        node_cache_bytes: int,
        json_cache_bytes: int = 8 << 20,
        pins_exports: bool | None = None,
    ) -> None:
        self.db = db
        self.clock = clock
        self.live = live
        self.keys = keys
        self.blobs = blobs
        self.locks = blobs.locks
        self.turns = RepositoryTurns(db)
        self.nodes = NodeCache(node_cache_bytes)
        # A separate cache for reads by others, so that a crawler does not evict the writers' nodes.
        self.read_nodes = NodeCache(node_cache_bytes // 4)
        self.json_forms = JsonForms(json_cache_bytes)
        self.export_memory = MemoryBudget(_EXPORT_BYTES)
        # On an SQLite file the only other processes are operators' commands. The server's exports need no pins, but
        # those of the commands do.
        self._pins = db.engine != "sqlite" if pins_exports is None else pins_exports
        self._record_keys = TidClock(clock_id)
        self._clock_id = clock_id
        self._heads: LRUCache[Did, Head] = LRUCache(_CACHED_HEADS)
        self._changes = 0
        self._exports: dict[Did, set[str]] = {}
        self._after_exports: dict[Did, list[Callable[[], Awaitable[None]]]] = {}
        self._listeners: list[Callable[[Did], None]] = [keys.forget]
        # Called when another process has written this repository or changed its account.
        live.call_on_foreign_event(self.forget_head)

    async def close(self) -> None:
        """End the background work: wait for removals of files, and stop reading the log. Call this before closing the
        database.
        """
        await self.blobs.wait_for_removals()
        await self.live.close()

    async def head(self, did: Did) -> Head:
        """Return the current head. Raises NotFound (``RepoNotFound``)."""
        head = self._heads.get(did)
        if head is None:
            changes = self._changes
            head = await reader.find_head(self.db, did)
            if head is None:
                raise not_hosted(did)
            # If a head changed during the read, the result may be outdated.
            if changes == self._changes:
                self._heads[did] = head
        return head

    def put_head(self, head: Head) -> None:
        """Cache a head that has just become durable. Called in the order of commits."""
        self._changes += 1
        self._heads[head.did] = head

    def forget_head(self, did: Did) -> None:
        """Drop a cached head whose stored row, or whose account, may have changed."""
        self._changes += 1
        self._heads.pop(did, None)
        for listener in self._listeners:
            listener(did)

    def when_forgotten(self, listener: Callable[[Did], None]) -> None:
        """Register a callback that is called with the DID whenever cached state of an account becomes invalid."""
        self._listeners.append(listener)

    def next_rev(self, previous: Tid | None) -> Tid:
        """Make a rev for a new commit: the current time, or just after the previous rev if the clock was set back."""
        earliest = 0 if previous is None else tid.to_microseconds(previous) + 1
        return tid.from_microseconds(max(self.clock.now(), earliest), self._clock_id)

    def fresh_record_key(self) -> Tid:
        """Make a key for a record that was sent without one."""
        return self._record_keys.next(self.clock.now())

    def is_exporting(self, did: Did) -> bool:
        """Whether an export of this repository is running in this process. As long as it is, its blocks must be kept."""
        return did in self._exports

    def keeps_removed(self, w: Writer, did: Did) -> bool:
        """Whether an export of this repository is running in any process. Call this in a transaction that has moved the
        head.
        """
        return did in self._exports or export_pins.is_pinned(w, did)

    @asynccontextmanager
    async def exporting(self, did: Did) -> AsyncIterator[Head]:
        """Yield the head and keep everything below it readable during the block, even if new commits are made
        meanwhile.
        """
        export = uuid4().hex
        # Under the lock, so that this is not the head of a commit whose blocks are just being removed.
        async with self.locks.hold(did):
            if self._pins:
                await self.db.write(lambda w: export_pins.pin(w, did, export))
                self.forget_head(did)
            try:
                head = await self.head(did)
            except BaseException:
                await asyncio.shield(self._unpin(did, export))
                raise
            self._exports.setdefault(did, set()).add(export)
        try:
            yield head
        finally:
            # The blocks must also be released if the reader disconnects, so the cleanup is not cancelled with its
            # request.
            await asyncio.shield(self._end_export(did, export))

    async def _end_export(self, did: Did, export: str) -> None:
        async with self.locks.hold(did):
            other_exports = self._exports[did] - {export}
            if other_exports:
                self._exports[did] = other_exports
                await self._unpin(did, export)
                return
            try:
                if self._pins:
                    await self._unpin(did, export)
                else:
                    await self.db.write(lambda w: export_pins.collect(w, did))
                for work in self._after_exports.pop(did, ()):
                    await work()
            finally:
                del self._exports[did]

    async def _unpin(self, did: Did, export: str) -> None:
        if self._pins:
            await self.db.write(lambda w: export_pins.unpin(w, did, export))

    async def keep_exports(self) -> None:
        """Renew this process's export pins, and clean up after processes that have ended."""
        running = [export for exports in self._exports.values() for export in exports] if self._pins else []
        await self.db.write(lambda w: export_pins.renew(w, running))
        for export, did in await self.db.write(export_pins.list_stale):
            await self.db.write(lambda w, did=did, export=export: export_pins.unpin(w, did, export))  # type: ignore[misc]  # defaults bind now

    async def sweep_imports(self) -> None:
        """Delete the staged rows of imports whose process has ended, and those that this process could not delete at
        once.
        """
        await import_sweep.abandon(self.db, Instant(self.clock.now() - import_sweep.ABANDONED_AFTER))

        async def sweep(staged: tuple[Did, Tid]) -> int:
            did, rev = staged
            async with self.locks.hold(did):
                if not self.is_exporting(did):
                    await import_sweep.sweep(self.db, did, rev)
            return 1

        await each_alone("abandoned imports", await import_sweep.abandoned(self.db), sweep)

    async def when_not_exporting(self, did: Did, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work``, which removes blocks, now, or after the last running export, which may need them. The caller
        holds the lock.
        """
        if self.is_exporting(did):
            self._after_exports.setdefault(did, []).append(work)
        else:
            await work()


async def open_repositories(
    db: Database,
    live: LiveEvents,
    keys: SigningKeys,
    blobs: BlobService,
    clock: Clock,
    *,
    clock_id: int,
    node_cache_bytes: int = 32 << 20,
    json_cache_bytes: int = 8 << 20,
) -> Repositories:
    """Clean up the exports and imports of a stopped process and open the repositories. ``clock_id`` (0 to 1023) marks
    the TIDs of this process.
    """
    # An SQLite file has no other server; on PostgreSQL other servers may be importing at this moment.
    is_alone = db.engine == "sqlite"
    await import_sweep.abandon(db, clock.now() if is_alone else Instant(clock.now() - import_sweep.ABANDONED_AFTER))
    for did, rev in await import_sweep.abandoned(db):
        await import_sweep.sweep(db, did, rev)
    for did in await db.read(writer.with_unused):
        await db.write(lambda w, did=did: writer.collect_unused(w, did))  # type: ignore[misc]  # a default binds it now
    return Repositories(
        db,
        live,
        keys,
        blobs,
        clock,
        clock_id=clock_id,
        node_cache_bytes=node_cache_bytes,
        json_cache_bytes=json_cache_bytes,
    )
