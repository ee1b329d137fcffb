"""Copy an account's repository, the blobs that its records refer to, and its preferences.

The repository is copied through a temporary file and is never held in memory as a whole. A blob has a few megabytes and
is held in memory. Blobs that the old server has lost are reported and do not stop the migration; the new server
continues to list them as missing.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from at_network.migration.progress import MigrationResult, MigrationStep, OnProgress, Progress
from at_network.migration.servers import MigrationServer, status
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.car import MEDIA_TYPE
from groundwork.errors import Failure, InvalidInput, NotFound, Refused, RemoteFailed, TooMany
from groundwork.task_group import run_concurrently

# Ten times the limit of large hosts. Limits the disk space that this program uses.
MAX_REPOSITORY_BYTES = 1024**3
MAX_BLOB_BYTES = 200 * 1024**2
_PIECE_BYTES = 256 * 1024
# Number of blobs copied at the same time. Both servers count requests. Four at a time use the available bandwidth and
# stay within the rate limits.
_AT_ONCE = 4
_PAGE = 500
_LONGEST_WAIT_SECONDS = 15 * 60.0
_OF_APPS = "app.bsky."
# Errors of getBlob that mean that the server does not give the blob to anybody. The reference PDS uses the general name
# instead of the Lexicon's (``BlobNotFound``).
_LOST = frozenset({"InvalidRequest", "BlobTakedown"})


@dataclass(frozen=True, slots=True)
class CopiedRepository:
    """A copied repository. ``rev`` is its revision at the old server when it was read."""

    rev: str
    records: int


async def newest_rev(side: MigrationServer) -> str:
    """Return the current rev of the account's repository on this server, whether the account is active or not."""
    return str((await status(side)).get("repoRev"))


async def copy_repository(
    old: MigrationServer, new: MigrationServer, folder: Path, on_progress: OnProgress
) -> CopiedRepository:
    """Import the old repository at the new server. Repeating it changes nothing.

    Do not call this for an account that is active at the new server: anything written there since would be lost.
    """
    rev = await newest_rev(old)
    with _temporary_file(folder) as file:
        await _fetch(old, file, on_progress)
        size = file.tell()

        def pieces() -> AsyncIterator[bytes]:
            return _pieces(file, on_progress, size)

        await new.client.send("com.atproto.repo.importRepo", pieces, MEDIA_TYPE, size)
    counted = (await status(new)).get("indexedRecords")
    records = counted if isinstance(counted, int) else 0
    on_progress(Progress(MigrationStep.REPOSITORY, 2 * size, 2 * size, is_complete=True, note=f"{records:,} copied"))
    return CopiedRepository(rev, records)


async def _fetch(old: MigrationServer, file: BinaryIO, on_progress: OnProgress) -> None:
    received_bytes = 0
    async with old.client.stream(
        "com.atproto.sync.getRepo", {"did": old.did}, max_bytes=MAX_REPOSITORY_BYTES
    ) as response:
        async for piece in response.pieces():
            await asyncio.to_thread(file.write, piece)
            received_bytes += len(piece)
            # The size is not known in advance. The upload that follows takes about as long again.
            on_progress(Progress(MigrationStep.REPOSITORY, received_bytes, 0))


async def _pieces(file: BinaryIO, on_progress: OnProgress, size: int) -> AsyncIterator[bytes]:
    file.seek(0)
    sent = 0
    while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
        yield piece
        sent += len(piece)
        on_progress(Progress(MigrationStep.REPOSITORY, size + sent, 2 * size))


def _temporary_file(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    return cast("BinaryIO", tempfile.TemporaryFile(dir=folder))


async def missing_blobs(side: MigrationServer) -> AsyncIterator[Cid]:
    """Yield the blobs that records on this server refer to but that this server does not have."""
    cursor: str | None = None
    while True:
        page = await side.client.query("com.atproto.repo.listMissingBlobs", {"limit": _PAGE, "cursor": cursor})
        entries = page.get("blobs")
        if not isinstance(entries, list):
            raise RemoteFailed(f"{side.origin} does not say which blobs are missing.")
        for entry in entries:
            try:
                yield Cid.parse(str(entry["cid"]))
            except (KeyError, TypeError, Malformed):
                raise RemoteFailed(f"{side.origin} lists a missing blob with an invalid CID.") from None
        cursor = str(page["cursor"]) if page.get("cursor") else None
        if cursor is None:
            return


async def copy_blobs(
    old: MigrationServer, new: MigrationServer, on_progress: OnProgress, outcome: MigrationResult
) -> None:
    """Copy every blob that is missing at the new server and present at the old one. ``outcome`` lists the other missing
    blobs.
    """
    outcome.missing_blobs.clear()
    cids = list(dict.fromkeys([cid async for cid in missing_blobs(new)]))
    turns = asyncio.Semaphore(_AT_ONCE)
    done = 0

    async def copy_blob(cid: Cid) -> None:
        nonlocal done
        async with turns:
            try:
                await _copy_blob_with_retries(old, new, cid)
                outcome.blobs_brought += 1
            except NotFound:
                outcome.missing_blobs.append(cid)
            done += 1
            on_progress(Progress(MigrationStep.BLOBS, done, len(cids)))

    on_progress(Progress(MigrationStep.BLOBS, 0, len(cids)))
    async with run_concurrently() as group:
        for cid in cids:
            group.create_task(copy_blob(cid))
    lost_count = len(outcome.missing_blobs)
    note = f"{outcome.blobs_brought:,} copied" + (f", {lost_count:,} no longer at the old server" if lost_count else "")
    on_progress(Progress(MigrationStep.BLOBS, len(cids), len(cids), is_complete=True, note=note))


async def _copy_blob_with_retries(old: MigrationServer, new: MigrationServer, cid: Cid) -> None:
    """Copy a blob, retrying while a server answers 429, unless the server asks for a very long wait."""
    while True:
        try:
            await _copy_blob(old, new, cid)
        except TooMany as refused:
            if refused.after_seconds > _LONGEST_WAIT_SECONDS:
                raise
            await asyncio.sleep(refused.after_seconds)
        else:
            return


async def _copy_blob(old: MigrationServer, new: MigrationServer, cid: Cid) -> None:
    """Copy one blob. Raises NotFound if the old server does not have it, and RemoteFailed if it sends different bytes."""
    try:
        response = await old.client.download(
            "com.atproto.sync.getBlob", {"did": old.did, "cid": str(cid)}, max_bytes=MAX_BLOB_BYTES
        )
    except (InvalidInput, Refused) as refused:
        if refused.name not in _LOST:
            raise
        raise NotFound(refused.why, name="BlobNotFound") from None
    media_type = response.headers.get("content-type", "application/octet-stream")
    uploaded = await new.client.upload("com.atproto.repo.uploadBlob", response.body, media_type)
    blob = uploaded.get("blob")
    reference = blob.get("ref") if isinstance(blob, dict) else None
    link = reference.get("$link") if isinstance(reference, dict) else None
    if link != str(cid):
        raise RemoteFailed(f"{old.origin} sent other bytes than the blob {cid}.")


async def copy_preferences(
    old: MigrationServer, new: MigrationServer, on_progress: OnProgress, outcome: MigrationResult
) -> None:
    """Replace the preferences at the new server with those of the old one. A server that stores none is not a failure."""
    try:
        response = await old.client.query("app.bsky.actor.getPreferences")
        entries = response.get("preferences")
        preferences = (
            [one for one in entries if isinstance(one, dict) and str(one.get("$type", "")).startswith(_OF_APPS)]
            if isinstance(entries, list)
            else []
        )
        if preferences:
            await new.client.procedure("app.bsky.actor.putPreferences", {"preferences": preferences})
        outcome.preferences = len(preferences)
        note = f"{len(preferences)} copied"
    except Failure as failure:
        # Preferences are a convenience, so a failure here does not stop the migration. The owner is informed.
        outcome.differences.append(f"Preferences were not copied: {failure.why}")
        note = "not copied"
    on_progress(Progress(MigrationStep.PREFERENCES, is_complete=True, note=note))


_COUNTED = {"indexedRecords": "records", "expectedBlobs": "blobs that records refer to"}


async def compare(old: MigrationServer, new: MigrationServer, outcome: MigrationResult) -> None:
    """Add the differences between the counts of the two servers to the outcome, as sentences."""
    old_counts, new_counts = await status(old), await status(new)
    for name, noun in _COUNTED.items():
        if old_counts.get(name) != new_counts.get(name):
            outcome.differences.append(
                f"{old.origin} counts {old_counts.get(name)} {noun}, {new.origin} counts {new_counts.get(name)}."
            )
