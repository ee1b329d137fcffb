"""Import the caller's whole repository from a CAR exported elsewhere.

The queues are bounded and shared fairly: a few files are received at once, one per account and few per address, each at a
minimum rate, so that slow senders only delay slow senders; fewer still are checked and stored at once. The processor time of
the checks has a quota per account and per address.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from weakref import WeakKeyDictionary, WeakValueDictionary

from starlette.exceptions import HTTPException

from at_protocol.repo.car import MEDIA_TYPE
from at_protocol.syntax.did import Did
from aurora_locus.repository.import_car import import_repository
from aurora_locus.repository.import_file import import_folder, receive
from aurora_locus.repository.model import HostingStatus
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.statuses import require_visible
from aurora_locus.xrpc.authentication import Need
from aurora_locus.xrpc.method import XrpcCall, procedure
from groundwork.errors import InvalidInput, Refused, TooMany, Unavailable
from groundwork.http.addresses import is_public, network_of
from groundwork.workers.pool import ChargedPool
from groundwork.workers.quota import QuotaHolder, person

# The real limit is the operator's and is enforced while receiving; this one only bounds what the application accepts.
_NO_MORE_THAN = 10 * 1024**3

# Storing a file takes the writer: more at once would only slow down everybody. Checks are bounded by the worker processes.
AT_ONCE = 2
# Each takes the disk space of its file.
RECEIVED_AT_ONCE = 6
RECEIVED_FROM_ADDRESS = 3
# How many requests wait for a slot before further ones are refused at once.
MOST_WAITING = 24
PATIENCE_SECONDS = 60.0
# Accounts behind one address: a household, a school, a company.
_PEOPLE_OF_ADDRESS = 4

# A slower connection would take more than half an hour for the default size limit.
LEAST_BYTES_PER_SECOND = 50_000
GRACE_SECONDS = 30.0


class ImportTurns:
    """Slots for receiving and for storing files; ``waiting`` requests wait for one."""

    def __init__(self) -> None:
        self.receiving = asyncio.Semaphore(RECEIVED_AT_ONCE)
        self.storing = asyncio.Semaphore(AT_ONCE)
        self.waiting = 0
        self._accounts: WeakValueDictionary[Did, asyncio.Lock] = WeakValueDictionary()
        self._addresses: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def of_account(self, did: Did) -> asyncio.Lock:
        """An account sends one file at a time."""
        return self._accounts.setdefault(did, asyncio.Lock())

    def of_address(self, address: str) -> asyncio.Semaphore:
        """A public address sends a few. A private one may be that of a proxy that was not configured: everybody's."""
        slots = RECEIVED_FROM_ADDRESS if is_public(address) else RECEIVED_AT_ONCE
        return self._addresses.setdefault(network_of(address), asyncio.Semaphore(slots))

    @asynccontextmanager
    async def take(self, queue: asyncio.Semaphore | asyncio.Lock) -> AsyncIterator[None]:
        """Hold a slot for receiving; others wait with their files unsent. Raises Unavailable after a minute, or if too many
        wait.
        """
        if queue.locked() and self.waiting >= MOST_WAITING:
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
        """Hold a slot for storing. As many wait as have been received. Raises Unavailable after a minute."""
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
    """Replace the caller's repository by the uploaded one. Importing the same file again changes nothing.

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
    if head.status is not HostingStatus.DEACTIVATED:
        require_visible(head)  # before megabytes are received in vain
    workers = host.workers.charged_to(person(call.did), *_people_behind(call.peer))
    try:
        workers.require_quota()
    except TooMany as used_up:
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
        _paced(call.stream),
        max_bytes=host.settings.import_limit,
        content_length=int(length) if length is not None and length.isdigit() else None,
    ) as files:
        await import_repository(host.repositories, call.did, files, workers, storing)


def _people_behind(address: str) -> tuple[QuotaHolder, ...]:
    return (QuotaHolder(f"address:{network_of(address)}", _PEOPLE_OF_ADDRESS),) if is_public(address) else ()


def _too_busy() -> Unavailable:
    return Unavailable("This server is taking in as many repositories as it can at once. Try again in a few minutes.")


def turns_of(repositories: Repositories) -> ImportTurns:
    """The queues of one server."""
    return _turns.setdefault(repositories, ImportTurns())


async def _paced(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body, as long as it arrives at the minimum rate. Raises HTTPException (408)."""
    loop = asyncio.get_running_loop()
    begun, size = loop.time(), 0
    try:
        while True:
            async with asyncio.timeout_at(begun + GRACE_SECONDS + size / LEAST_BYTES_PER_SECOND):
                chunk = await anext(body, None)
            if chunk is None:
                return
            size += len(chunk)
            yield chunk
    except TimeoutError:
        raise HTTPException(408) from None


METHOD = procedure(
    "com.atproto.repo.importRepo", import_repo, Need.FULL_ACCESS, max_body_bytes=_NO_MORE_THAN, raw_body=True
)
