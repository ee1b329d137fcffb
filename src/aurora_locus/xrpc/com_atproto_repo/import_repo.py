"""Import the caller's whole repository from a CAR exported elsewhere.

Two queues: a few files are received at once, one per account, each at a minimum rate, so that slow senders only delay slow
senders; fewer still are verified and stored at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary, WeakValueDictionary

from starlette.exceptions import HTTPException

from at_protocol.repo.car import MEDIA_TYPE
from at_protocol.syntax.did import Did
from aurora_locus.repository.import_car import import_repository
from aurora_locus.repository.import_file import receive
from aurora_locus.repository.model import HostingStatus
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.statuses import require_visible
from aurora_locus.xrpc.authentication import Need
from aurora_locus.xrpc.method import XrpcCall, procedure
from groundwork.errors import InvalidInput, Refused, Unavailable

# The real limit is the operator's and is enforced while receiving; this one only bounds what the application accepts.
_NO_MORE_THAN = 10 * 1024**3

# Verifying a file takes a CPU core, storing it the writer: more at once would only slow down everybody.
AT_ONCE = 2
# While a file is received its index takes memory: 200 bytes for each block.
RECEIVED_AT_ONCE = 6
PATIENCE_SECONDS = 60.0

# A slower connection would take more than half an hour for the default size limit.
LEAST_BYTES_PER_SECOND = 50_000
GRACE_SECONDS = 30.0


class ImportTurns:
    """Slots for receiving and for storing files."""

    def __init__(self) -> None:
        self.receiving = asyncio.Semaphore(RECEIVED_AT_ONCE)
        self.storing = asyncio.Semaphore(AT_ONCE)
        self._accounts: WeakValueDictionary[Did, asyncio.Lock] = WeakValueDictionary()

    def of_account(self, did: Did) -> asyncio.Lock:
        """An account sends one file at a time."""
        return self._accounts.setdefault(did, asyncio.Lock())


_turns: WeakKeyDictionary[Repositories, ImportTurns] = WeakKeyDictionary()


async def import_repo(call: XrpcCall) -> None:
    """Importing the same file again changes nothing; blobs are uploaded afterwards (listMissingBlobs)."""
    host = call.host
    if not host.settings.accepting_repo_imports:
        raise Refused("This server does not take in repositories (PDS_ACCEPTING_REPO_IMPORTS is off).")
    if (call.header("content-type") or "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise InvalidInput(
            "", f"Wrong request encoding (Content-Type): com.atproto.repo.importRepo takes {MEDIA_TYPE}."
        )
    head = await host.repositories.head(call.did)
    if head.status is not HostingStatus.DEACTIVATED:
        require_visible(head)  # before megabytes are received in vain
    turns = turns_of(host.repositories)
    async with _turn(turns.of_account(call.did)), _turn(turns.receiving):
        await _import(call, turns.storing)


async def _import(call: XrpcCall, storing: asyncio.Semaphore) -> None:
    host = call.host
    folder = host.settings.data_directory / "imports"
    length = call.header("content-length")
    async with (
        receive(
            folder,
            _paced(call.stream),
            max_bytes=host.settings.import_limit,
            content_length=int(length) if length is not None and length.isdigit() else None,
        ) as file,
        _turn(storing),
    ):
        await import_repository(host.repositories, call.did, file)


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


@asynccontextmanager
async def _turn(queue: asyncio.Semaphore | asyncio.Lock) -> AsyncIterator[None]:
    """One of the few slots; others wait with their files unsent. Raises Unavailable on time-out."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await queue.acquire()
    except TimeoutError:
        raise Unavailable(
            "This server is taking in as many repositories as it can at once. Try again in a few minutes."
        ) from None
    try:
        yield
    finally:
        queue.release()


METHOD = procedure(
    "com.atproto.repo.importRepo", import_repo, Need.FULL_ACCESS, max_body_bytes=_NO_MORE_THAN, raw_body=True
)
