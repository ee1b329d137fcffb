"""Bring the caller's whole repository in, as a file from another server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from at_protocol.repo.car import MEDIA_TYPE
from aurora_locus.repository.import_car import import_repository
from aurora_locus.repository.import_file import receive
from aurora_locus.repository.model import Status
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.statuses import require_visible
from aurora_locus.xrpc.authentication import Need
from aurora_locus.xrpc.host import Host
from aurora_locus.xrpc.method import Call, procedure
from groundwork.errors import InvalidInput, Refused, Unavailable

# The real limit is the operator's and is kept while receiving; this one only bounds what the application lets through.
_NO_MORE_THAN = 10 * 1024**3

# Checking a file takes a processor, storing it the writer: more at once would only make each slower, and everybody else.
AT_ONCE = 2
PATIENCE_SECONDS = 60.0
_turns: WeakKeyDictionary[Repositories, asyncio.Semaphore] = WeakKeyDictionary()


async def import_repo(call: Call) -> None:
    """The same file again changes nothing; blobs are fetched afterwards (listMissingBlobs)."""
    host = call.host
    if not host.settings.accepting_repo_imports:
        raise Refused("This server does not take in repositories (PDS_ACCEPTING_REPO_IMPORTS is off).")
    if (call.header("content-type") or "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise InvalidInput(
            "", f"Wrong request encoding (Content-Type): com.atproto.repo.importRepo takes {MEDIA_TYPE}."
        )
    head = await host.repositories.head(call.did)
    if head.status is not Status.DEACTIVATED:
        require_visible(head)  # before megabytes are received in vain
    async with _turn(host):
        await _import(call)


async def _import(call: Call) -> None:
    host = call.host
    folder = host.settings.data_directory / "imports"
    length = call.header("content-length")
    async with receive(
        folder,
        call.stream,
        max_bytes=host.settings.import_limit,
        content_length=int(length) if length is not None and length.isdigit() else None,
    ) as file:
        await import_repository(host.repositories, call.did, file)


@asynccontextmanager
async def _turn(host: Host) -> AsyncIterator[None]:
    """One of the few imports at a time; others wait with their files unsent. Raises Unavailable when it takes too long."""
    turns = _turns.setdefault(host.repositories, asyncio.Semaphore(AT_ONCE))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await turns.acquire()
    except TimeoutError:
        raise Unavailable(
            "This server is taking in as many repositories as it can at once. Try again in a few minutes."
        ) from None
    try:
        yield
    finally:
        turns.release()


METHOD = procedure(
    "com.atproto.repo.importRepo", import_repo, Need.FULL_ACCESS, max_body_bytes=_NO_MORE_THAN, raw_body=True
)
