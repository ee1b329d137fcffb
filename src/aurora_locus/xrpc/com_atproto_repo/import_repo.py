"""Import the caller's whole repository from a CAR exported by another server.

The queues are bounded and shared fairly. A few files are received at once, one per account and a few per address, each
at a minimum rate, so that a slow sender cannot hold up others for long. Even fewer are checked and stored at once. The
processor time of the checks has a quota per account and per address.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from weakref import WeakKeyDictionary, WeakValueDictionary

from starlette.exceptions import HTTPException

from at_protocol.repo.car import MEDIA_TYPE
from at_protocol.syntax.did import Did
from aurora_locus.accounts.limits import IMPORTS
from aurora_locus.repository.import_car import import_repository
from aurora_locus.repository.import_file import import_folder, receive
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.statuses import require_importable
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.limits import per_account
from aurora_locus.xrpc.method import XrpcCall, procedure
from groundwork.errors import InvalidInput, Refused, TooMany, Unavailable
from groundwork.http.addresses import is_public, network_of
from groundwork.workers.pool import ChargedPool
from groundwork.workers.quota import QuotaHolder, person

# The real limit is set by the operator and enforced while receiving. This limit only bounds the bodies that the
# application accepts.
_NO_MORE_THAN = 10 * 1024**3

# Storing a file occupies the writer, so storing more at once would only slow down all requests. Checks are limited by
# the number of worker processes.
AT_ONCE = 2
# Each file being received takes disk space.
RECEIVED_AT_ONCE = 6
RECEIVED_FROM_ADDRESS = 3
# How many requests can wait for a slot. Further requests are refused at once.
MAX_WAITING = 24
PATIENCE_SECONDS = 60.0
# Number of accounts expected behind one address: a household, a school, a company.
_PEOPLE_OF_ADDRESS = 4

# With a slower connection, a file of the default maximum size would take more than half an hour.
LEAST_BYTES_PER_SECOND = 50_000
GRACE_SECONDS = 30.0


class ImportTurns:
    """Slots for receiving and for storing files. ``waiting`` is the number of requests that wait for one."""

    def __init__(self) -> None:
        self.receiving = asyncio.Semaphore(RECEIVED_AT_ONCE)
        self.storing = asyncio.Semaphore(AT_ONCE)
        self.waiting = 0
        self._accounts: WeakValueDictionary[Did, asyncio.Lock] = WeakValueDictionary()
        self._addresses: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def of_account(self, did: Did) -> asyncio.Lock:
        """Return the lock of an account, which sends one file at a time."""
        return self._accounts.setdefault(did, asyncio.Lock())

    def of_address(self, address: str) -> asyncio.Semaphore:
        """Return the slots of an address. A public address can send a few files at once. A private one may be that of
        an unconfigured proxy for all clients, so it gets all slots.
        """
        slots = RECEIVED_FROM_ADDRESS if is_public(address) else RECEIVED_AT_ONCE
        return self._addresses.setdefault(network_of(address), asyncio.Semaphore(slots))

    @asynccontextmanager
    async def take(self, queue: asyncio.Semaphore | asyncio.Lock) -> AsyncIterator[None]:
        """Hold a slot for receiving. Other requests wait before they send their files. Raises Unavailable after a
        minute, or if too many are waiting.
        """
        if queue.locked() and self.waiting >= MAX_WAITING:
            raise _too_busy()
        self.waiting += 1
        try:
            await _acquire(queue)
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            queue.release()

    @asynccontextmanager
    async def store(self) -> AsyncIterator[None]:
        """Hold a slot for storing. At most as many wait as files are received at once. Raises Unavailable after a
        minute.
        """
        await _acquire(self.storing)
        try:
            yield
        finally:
            self.storing.release()


async def _acquire(queue: asyncio.Semaphore | asyncio.Lock) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await queue.acquire()
    except TimeoutError:
        raise _too_busy() from None


_turns: WeakKeyDictionary[Repositories, ImportTurns] = WeakKeyDictionary()


async def import_repo(call: XrpcCall) -> None:
    """Replace the caller's repository with the uploaded one. Importing the same file again changes nothing.

    Blobs are uploaded afterwards (listMissingBlobs).
    """
    host = call.host
    if not host.settings.accepting_repo_imports:
        raise Refused("This server does not import repositories (PDS_ACCEPTING_REPO_IMPORTS is off).")
    if (call.header("content-type") or "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise InvalidInput(
            "", f"Wrong request encoding (Content-Type): com.atproto.repo.importRepo takes {MEDIA_TYPE}."
        )
    head = await host.repositories.head(call.did)
    require_importable(head)  # checked early, to avoid receiving megabytes that would be refused
    workers = host.workers.charged_to(person(call.did), *_quota_holders(call.peer))
    try:
        workers.require_quota()
    except TooMany as used_up:
        # Without the name of the pool, which clients of the protocol do not know.
        raise TooMany(used_up.why, after_seconds=used_up.after_seconds) from None
    turns = turns_of(host.repositories)
    async with (
        turns.take(turns.of_account(call.did)),
        turns.take(turns.of_address(call.peer)),
        turns.take(turns.receiving),
    ):
        await _import(call, workers, turns.store)


async def _import(
    call: XrpcCall, workers: ChargedPool, storing: Callable[[], AbstractAsyncContextManager[None]]
) -> None:
    host = call.host
    length = call.header("content-length")
    async with receive(
        import_folder(host.settings.data_directory),
        _require_pace(call.stream),
        max_bytes=host.settings.import_limit,
        content_length=int(length) if length is not None and length.isdigit() else None,
    ) as files:
        await import_repository(host.repositories, call.did, files, workers, storing)


def _quota_holders(address: str) -> tuple[QuotaHolder, ...]:
    return (QuotaHolder(f"address:{network_of(address)}", _PEOPLE_OF_ADDRESS),) if is_public(address) else ()


def _too_busy() -> Unavailable:
    return Unavailable("This server is already importing as many repositories as it can. Try again in a few minutes.")


def turns_of(repositories: Repositories) -> ImportTurns:
    """Return the queues of one server."""
    return _turns.setdefault(repositories, ImportTurns())


async def _require_pace(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the body as long as it arrives at the minimum rate. Raises HTTPException (408)."""
    loop = asyncio.get_running_loop()
    started_at, size = loop.time(), 0
    try:
        while True:
            async with asyncio.timeout_at(started_at + GRACE_SECONDS + size / LEAST_BYTES_PER_SECOND):
                chunk = await anext(body, None)
            if chunk is None:
                return
            size += len(chunk)
            yield chunk
    except TimeoutError:
        raise HTTPException(408) from None


METHOD = procedure(
    "com.atproto.repo.importRepo",
    import_repo,
    AccessLevel.FULL_ACCESS,
    max_body_bytes=_NO_MORE_THAN,
    raw_body=True,
    charges=per_account(IMPORTS),
)
