"""The repositories of this process: what is kept in memory about them, all of it bounded and all of it forgettable."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from cachetools import LRUCache

from at_protocol.syntax import tid
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid, TidClock
from aurora_locus.blobs.uploads import Blobs
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.repository import reader, writer
from aurora_locus.repository.json_forms import JsonForms
from aurora_locus.repository.model import Head
from aurora_locus.repository.nodes import NodeCache
from aurora_locus.repository.statuses import not_hosted
from aurora_locus.sequencer.live import Live
from groundwork.clock import Clock
from groundwork.database.transaction import Database, Writer

_CACHED_HEADS = 4096


class Repositories:
    """One per process and database; made by :func:`open_repositories`."""

    def __init__(
        self,
        db: Database,
        live: Live,
        keys: SigningKeys,
        blobs: Blobs,
        clock: Clock,
        *,
        clock_id: int,
        node_cache_bytes: int,
        json_cache_bytes: int = 8 << 20,
    ) -> None:
        self.db = db
        self.clock = clock
        self.live = live
        self.keys = keys
        self.blobs = blobs
        self.locks = blobs.locks
        self.nodes = NodeCache(node_cache_bytes)
        # What strangers read: a crawler must not push the writers' nodes out.
        self.read_nodes = NodeCache(node_cache_bytes // 4)
        self.json_forms = JsonForms(json_cache_bytes)
        self._record_keys = TidClock(clock_id)
        self._clock_id = clock_id
        self._heads: LRUCache[Did, Head] = LRUCache(_CACHED_HEADS)
        self._changes = 0
        self._exports: dict[Did, int] = {}
        self._after_exports: dict[Did, list[Callable[[Writer], None]]] = {}
        self._listeners: list[Callable[[Did], None]] = []
        # Another process has written this repository, or changed its account.
        live.when_foreign(self.forget_head)

    async def head(self, did: Did) -> Head:
        """The repository's present. Raises NotFound (``RepoNotFound``)."""
        head = self._heads.get(did)
        if head is None:
            changes = self._changes
            head = await reader.find_head(self.db, did)
            if head is None:
                raise not_hosted(did)
            # What changed while it was being read may be newer than what was read.
            if changes == self._changes:
                self._heads[did] = head
        return head

    def put_head(self, head: Head) -> None:
        """Remember a head that has just become durable; called in the order of commits."""
        self._changes += 1
        self._heads[head.did] = head

    def forget_head(self, did: Did) -> None:
        """The stored row, or the account that it belongs to, may have changed."""
        self._changes += 1
        self._heads.pop(did, None)
        for listener in self._listeners:
            listener(did)

    def when_forgotten(self, listener: Callable[[Did], None]) -> None:
        """Call this with each DID of which nothing kept in memory can be trusted any more."""
        self._listeners.append(listener)

    def next_rev(self, previous: Tid | None) -> Tid:
        """A rev for a new commit: now, or just after the previous one where the clock was set back."""
        earliest = 0 if previous is None else tid.to_microseconds(previous) + 1
        return tid.from_microseconds(max(self.clock.now(), earliest), self._clock_id)

    def fresh_record_key(self) -> Tid:
        """A key for a record whose author named none."""
        return self._record_keys.next(self.clock.now())

    def is_exporting(self, did: Did) -> bool:
        """While True, blocks of this repository must stay."""
        return did in self._exports

    @asynccontextmanager
    async def exporting(self, did: Did) -> AsyncIterator[Head]:
        """Give the head and keep everything below it readable for the block, whatever is committed meanwhile."""
        # Under the lock, so that the head is not one whose blocks a commit is removing at this moment.
        async with self.locks.hold(did):
            head = await self.head(did)
            self._exports[did] = self._exports.get(did, 0) + 1
        try:
            yield head
        finally:
            # A reader that hung up must not keep the blocks either: the end is not cancelled with its request.
            await asyncio.shield(self._end_export(did))

    async def _end_export(self, did: Did) -> None:
        async with self.locks.hold(did):
            if self._exports[did] > 1:
                self._exports[did] -= 1
                return
            try:
                await self.db.write(lambda w: writer.collect_unused(w, did))
                for work in self._after_exports.pop(did, ()):
                    await self.db.write(work)
            finally:
                del self._exports[did]

    async def when_not_exporting(self, did: Did, work: Callable[[Writer], None]) -> None:
        """Remove blocks now, or where exports of the repository may need them, when the last one has ended. The caller
        holds the lock.
        """
        if self.is_exporting(did):
            self._after_exports.setdefault(did, []).append(work)
        else:
            await self.db.write(work)


async def open_repositories(
    db: Database,
    live: Live,
    keys: SigningKeys,
    blobs: Blobs,
    clock: Clock,
    *,
    clock_id: int,
    node_cache_bytes: int = 32 << 20,
    json_cache_bytes: int = 8 << 20,
) -> Repositories:
    """Clear up what exports and imports of a stopped process left, then serve. ``clock_id`` (0 to 1023) marks this process's TIDs."""
    for did in await db.write(writer.with_unused):
        await db.write(lambda w, did=did: writer.collect_left(w, did))  # type: ignore[misc]  # a default binds it now
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
