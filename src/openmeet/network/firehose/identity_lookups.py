"""Look up identities outside the order of a stream. A commit whose author must be resolved waits here without delaying
other authors.

Frames of one DID keep their order. A lookup must finish within ``LOOKUP_SECONDS``, including the wait for a free slot.
If it fails, or if too many frames are waiting, the DID's frames are dropped and its repository is read later
(``unresolved``). did:plc and did:web have separate slots and buffers, because a did:web is resolved at its owner's
host, which may be arbitrarily slow.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from at_network.did_resolver import DidResolver
from at_protocol.failures import Malformed
from at_protocol.sync.events import Sequenced
from at_protocol.syntax.did import Did, DidMethod, supported_method
from groundwork.errors import Explanation, InvalidInput, NotFound, RemoteFailed, RemoteSlow, Unavailable, reason_of
from openmeet.network.firehose.reasons import FirehoseReason
from openmeet.network.firehose.verification import AuthorIdentity, FrameResult, IdentityLookup

SLOTS = 50
LOOKUP_SECONDS = 10.0
MAX_FRAMES = 1_000
MAX_FRAMES_OF_DID = 100
MAX_BYTES = 32_000_000


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """A commit whose author's identity is being looked up."""

    seq: int
    frame: bytes
    message: Sequenced


@dataclass(slots=True)
class _LookupPool:
    """DIDs that share lookup slots and buffer space."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SLOTS))
    frames: int = 0
    frame_bytes: int = 0

    def has_room(self, pending_commit: PendingCommit) -> bool:
        return self.frames < MAX_FRAMES and self.frame_bytes + len(pending_commit.frame) <= MAX_BYTES


@dataclass(slots=True)
class _Author:
    pool: _LookupPool
    lookup: IdentityLookup
    frames: deque[PendingCommit] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class Lookups:
    """The lookups of one stream. ``evaluate`` evaluates a frame, ``on_result`` receives its messages, and ``on_dropped``
    receives a DID whose frames were dropped, with their number and the reason.

    ``on_crash`` receives an unexpected error, which must end the stream: otherwise its cursor would never move again.
    """

    def __init__(
        self,
        dids: DidResolver,
        *,
        evaluate: Callable[[PendingCommit, Did, AuthorIdentity], Awaitable[FrameResult | IdentityLookup]],
        on_result: Callable[[PendingCommit, Did, FrameResult], None],
        on_dropped: Callable[[Did, int, Explanation], None],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        self._dids = dids
        self._evaluate = evaluate
        self._on_result = on_result
        self._on_dropped = on_dropped
        self._on_crash = on_crash
        self._authors: dict[Did, _Author] = {}
        self._of_directory, self._of_web = _LookupPool(), _LookupPool()

    def holds(self, did: Did) -> bool:
        """Whether frames of this DID are waiting here. If so, every later frame must wait too."""
        return did in self._authors

    @property
    def lowest_seq(self) -> int | None:
        """The number of the oldest waiting frame. The stored cursor must stay below it."""
        return min((author.frames[0].seq for author in self._authors.values() if author.frames), default=None)

    def hold(self, did: Did, pending_commit: PendingCommit, lookup: IdentityLookup = IdentityLookup.RESOLVE) -> None:
        """Queue a frame until its author's identity is known."""
        author = self._authors.get(did)
        pool = self._pool_of(did) if author is None else author.pool
        if not pool.has_room(pending_commit) or (author is not None and len(author.frames) >= MAX_FRAMES_OF_DID):
            self._drop(did, 1, FirehoseReason.TOO_MANY_LOOKUPS())
            return
        if author is None:
            author = self._authors[did] = _Author(pool, lookup)
            author.task = asyncio.create_task(self._work(did, author))
            author.task.add_done_callback(self._ended)
        author.frames.append(pending_commit)
        pool.frames += 1
        pool.frame_bytes += len(pending_commit.frame)

    def abandon(self) -> None:
        """Cancel all lookups. Their frames will be sent again, because the cursor is before all of them."""
        for author in self._authors.values():
            if author.task is not None:
                author.task.cancel()

    async def _work(self, did: Did, author: _Author) -> None:
        lookup, identity = author.lookup, AuthorIdentity(None)
        while author.frames:
            try:
                async with asyncio.timeout(LOOKUP_SECONDS), author.pool.slots:
                    identity = await self._identity(did, lookup)
            except (RemoteFailed, RemoteSlow, Unavailable) as lost:
                self._drop(did, 0, reason_of(lost))
                return
            except TimeoutError:
                self._drop(did, 0, FirehoseReason.LOOKUP_TOO_SLOW())
                return
            while author.frames:
                result = await self._evaluate(author.frames[0], did, identity)
                if isinstance(result, IdentityLookup):
                    lookup = result
                    break
                if self._authors.get(did) is not author:
                    return
                pending_commit = author.frames.popleft()
                author.pool.frames -= 1
                author.pool.frame_bytes -= len(pending_commit.frame)
                self._on_result(pending_commit, did, result)
        del self._authors[did]

    async def _identity(self, did: Did, lookup: IdentityLookup) -> AuthorIdentity:
        try:
            if lookup is IdentityLookup.RESOLVE:
                return AuthorIdentity(await self._dids.resolve(did))
            return AuthorIdentity(await self._dids.refresh(did), is_final=True)
        except (NotFound, InvalidInput):
            return AuthorIdentity(None, is_final=True)

    def _drop(self, did: Did, dropped: int, reason: Explanation) -> None:
        author = self._authors.pop(did, None)
        if author is not None:
            dropped += len(author.frames)
            author.pool.frames -= len(author.frames)
            author.pool.frame_bytes -= sum(len(pending_commit.frame) for pending_commit in author.frames)
            if author.task is not None and author.task is not asyncio.current_task():
                author.task.cancel()
        self._on_dropped(did, dropped, reason)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_crash(error)

    def _pool_of(self, did: Did) -> _LookupPool:
        try:
            return self._of_directory if supported_method(did) is DidMethod.PLC else self._of_web
        except Malformed:
            return self._of_web
