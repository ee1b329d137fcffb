"""Import a whole repository from a CAR (``com.atproto.repo.importRepo``): all of it or nothing, as one commit.

A worker process checks the file and plans the import (``import_check``). Blocks are staged in short transactions and
cannot be reached until the end. If the repository is deactivated, as in a migration, the index rows of new paths are
staged too, because the index is not visible then (``import_running``). A final transaction moves the head and changes
the rest of the index. It must fit into the two seconds of a transaction, so the number of its changes is limited. The
staged rows of a failed import are deleted at once, or after a crash at the next start or periodically
(``import_sweep``).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import BinaryIO, TypeVar

from at_protocol.crypto.did_key import PrivateKey
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed, Misuse
from at_protocol.repo.change import RepoChange
from at_protocol.repo.commit import Commit, sign_commit
from at_protocol.repo.node import links_of
from at_protocol.syntax import tid
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from aurora_locus.repository import import_sweep, import_writer, reader
from aurora_locus.repository.commit import make_durable
from aurora_locus.repository.import_check import CheckedImport, Exchange, check, limits_of
from aurora_locus.repository.import_file import ImportFiles, no_room
from aurora_locus.repository.model import DurableCommit, Head, HostingStatus
from aurora_locus.repository.nodes import DamagedRepository
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.statuses import require_importable
from aurora_locus.repository.writer import StaleHead
from groundwork.clock import MINUTE
from groundwork.database.transaction import Database, TransactionTooLong, Writer
from groundwork.errors import InvalidInput, TooLarge, TooMany, Unavailable
from groundwork.telemetry.logs import log
from groundwork.threads import on_thread
from groundwork.workers.limits import JobStopped, StopReason
from groundwork.workers.pool import ChargedPool

T = TypeVar("T")

# Clock skew that consumers tolerate.
_AHEAD = 5 * MINUTE
_BLOCKS_PER_STATEMENT = 250
_STAGED_BYTES = 2 * 1024 * 1024
_STAGED_BLOCKS = 2000
_STAGED_RECORDS = 2000
# A batch of this size is not split further when a busy database is too slow.
_STAGED_AT_LEAST = 50

# Index rows that the last transaction can change: half of what PostgreSQL on two shared cores does in its two seconds.
IN_ONE_STEP = 60_000


async def import_repository(
    repositories: Repositories,
    did: Did,
    files: ImportFiles,
    workers: ChargedPool,
    storing: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> DurableCommit | None:
    """Make the repository equal to the file. Return None if it already is. ``storing`` is entered while the result is
    stored.

    The import of an active account is announced as ``#sync``, that of a deactivated one is not announced. Raises
    InvalidInput for a file that is not a whole repository of this account, TooLarge for too many changes at once and
    for a file whose check takes too much time or memory, TooMany and Unavailable if it cannot be checked now, Refused
    for an account that was taken down or is moving to another server. Nothing is changed then.
    """
    async with repositories.locks.hold(did):
        repositories.forget_head(did)
        head = await repositories.head(did)
        require_importable(head)
        await _write_snapshot(repositories.db, head, files)
        checked = await _checked(head, files, workers)
        if checked.refused or checked.flawed:
            log.info("repository.imported_as_stored", did=did, refused=checked.refused, flawed=checked.flawed)
        imported = _plausible_rev(checked.rev, repositories.clock.now())
        if checked.data == head.data and (imported is None or imported <= head.rev):
            return None
        key = await repositories.keys.signing_key(did)
        async with storing():
            with Exchange(files.exchange) as exchange, files.car.open("rb") as car:
                upload = _Upload(checked, exchange, car)
                return await _store(repositories, head, upload, key, max(head.rev, imported or head.rev))


async def _write_snapshot(db: Database, head: Head, files: ImportFiles) -> None:
    """Write the current tree and index for the check, in pages. Raises Unavailable."""
    try:
        with Exchange(files.exchange) as exchange:
            exchange.create()
            level = [bytes(head.data)]
            while level:
                level = await _write_level(db, head, level, exchange)
            async for page in reader.entry_pages(db, head.did):
                await on_thread(exchange.keep_entries, page)
    except sqlite3.Error as error:
        raise no_room() from error


async def _write_level(db: Database, head: Head, level: Sequence[bytes], exchange: Exchange) -> list[bytes]:
    """Write the nodes of one level of the tree, and return the CIDs of the nodes below them."""
    below: list[bytes] = []
    for start in range(0, len(level), _BLOCKS_PER_STATEMENT):
        cids = level[start : start + _BLOCKS_PER_STATEMENT]
        blocks = await reader.load_raw_blocks(db, head.did, cids)
        for cid in cids:
            if cid not in blocks:
                raise DamagedRepository(head.did, Cid(cid))
            below += [link for link, is_node in links_of(blocks[cid]) if is_node]
        await on_thread(exchange.keep_nodes, blocks)
    return below


async def _checked(head: Head, files: ImportFiles, workers: ChargedPool) -> CheckedImport:
    """Run the check in a worker and return its result. Its failures are converted to the protocol's errors."""
    try:
        return await workers.run(partial(check, files, head.did, head.data), limits_of(files.size))
    except Malformed as error:
        if error.kind == "car":
            raise InvalidInput("", f"This is not a repository's file: {error.why}.") from None
        raise InvalidInput("", f"The repository cannot be imported: {error.why}.") from None
    except JobStopped as stopped:
        if stopped.reason is StopReason.CRASH:
            raise InvalidInput("", "The repository cannot be imported: reading the file fails.") from None
        raise TooLarge(
            "The repository cannot be imported: checking it takes more time or memory than this server allows for a "
            "file of its size."
        ) from None
    except TooMany as busy:
        # Without the name of the pool, which clients of the protocol do not know.
        raise TooMany(busy.why, after_seconds=busy.after_seconds) from None
    except Unavailable as busy:
        raise Unavailable(busy.why, after_seconds=busy.after_seconds) from None
    except (sqlite3.Error, OSError) as error:
        raise no_room() from error


def _plausible_rev(rev: Tid | None, now: int) -> Tid | None:
    """Return the file's rev, which ours must follow; None if it is in the future, because no consumer has accepted such
    a rev.
    """
    return None if rev is None or tid.to_microseconds(rev) > now + _AHEAD else rev


@dataclass(frozen=True, slots=True)
class _Upload:
    """A checked upload: its counts, its plan and its blocks."""

    checked: CheckedImport
    exchange: Exchange
    car: BinaryIO

    def batches(self) -> Iterator[list[tuple[Cid, bytes, int]]]:
        """Yield the blocks that this server lacks, with their reference counts, a few megabytes at a time."""
        batch: list[tuple[Cid, bytes, int]] = []
        size = 0
        for row in self.exchange.staged(self.car):
            batch.append(row)
            size += len(row[1])
            if size >= _STAGED_BYTES or len(batch) >= _STAGED_BLOCKS:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def records_beforehand(self, head: Head) -> Iterator[Sequence[RepoChange]]:
        """Yield the index rows to stage, as many at a time as fit a short transaction."""
        if head.status is HostingStatus.DEACTIVATED:
            new = self.exchange.changes(is_known=False)
            while rows := list(islice(new, _STAGED_RECORDS)):
                yield rows

    def in_last_step(self, head: Head) -> Sequence[RepoChange]:
        """Return the index changes that cannot be staged. Raises TooLarge."""
        is_hidden = head.status is HostingStatus.DEACTIVATED
        changes = self.checked.known_changes if is_hidden else self.checked.changes
        if changes + self.checked.blob_references <= IN_ONE_STEP:
            return list(self.exchange.changes(is_known=True if is_hidden else None))
        how = (
            "Import it in parts: first an older, smaller copy of the repository, then this one. Only the "
            "difference is stored then."
            if is_hidden
            else (
                "Deactivate the account first (deactivateAccount): then any number of new records can be imported. "
                "Activate it afterwards."
            )
        )
        raise TooLarge(f"This would change {changes} records at once; at most {IN_ONE_STEP} can. {how}")


async def _store(
    repositories: Repositories, head: Head, upload: _Upload, key: PrivateKey, previous: Tid
) -> DurableCommit:
    last_step = await on_thread(upload.in_last_step, head)
    did, rev, db, data = head.did, repositories.next_rev(previous), repositories.db, upload.checked.data
    commit = sign_commit(key, did=did, rev=rev, data=data)
    try:
        await db.write(lambda w: import_writer.begin(w, head, commit))
        batches = upload.batches()
        while batch := await on_thread(next, batches, None):
            await _write_rows(db, batch, lambda w, blocks: import_writer.stage(w, commit, blocks))
        records = upload.records_beforehand(head)
        while rows := await on_thread(next, records, None):
            await _write_rows(db, rows, lambda w, changes: import_writer.stage_records(w, commit, changes))
        await make_durable(
            repositories,
            replace(head, commit=commit.cid, rev=rev, data=commit.data),
            lambda w: import_writer.store(
                w, repositories.live, head, commit, upload.exchange, last_step, keeps=repositories.keeps_removed
            ),
        )
    except TransactionTooLong:
        await _delete_staged(repositories, commit)
        raise Unavailable(
            f"Nothing was changed: the {upload.checked.changes} changed records of this repository take the database "
            "longer than one transaction may last here. Try again at a quieter time. If that fails as well, import "
            "it in parts: first an older, smaller copy of the repository, then this one. Only the difference is "
            "stored then."
        ) from None
    except StaleHead:
        await _delete_staged(repositories, commit)
        raise Unavailable(f"The repository {did} is being written by somebody else; try again.") from None
    except BaseException:
        await _delete_staged(repositories, commit)
        raise
    return DurableCommit(commit.cid, rev)


async def _write_rows(db: Database, rows: Sequence[T], write: Callable[[Writer, Sequence[T]], None]) -> None:
    """Write the rows in one transaction, or in halves if a busy database is too slow. Raises TransactionTooLong."""
    try:
        await db.write(lambda w: write(w, rows))
    except TransactionTooLong:
        if len(rows) <= _STAGED_AT_LEAST:
            raise
        middle = len(rows) // 2
        await _write_rows(db, rows[:middle], write)
        await _write_rows(db, rows[middle:], write)


async def _delete_staged(repositories: Repositories, commit: Commit) -> None:
    """Delete the staged rows, unless they have become the repository (the client hung up during the last transaction)."""
    did, rev = commit.did, commit.rev
    repositories.forget_head(did)
    if rev is None:
        raise Misuse("a commit of version 2 is never made")
    if (await repositories.head(did)).commit != commit.cid:
        await asyncio.shield(
            repositories.when_not_exporting(did, lambda: import_sweep.sweep(repositories.db, did, rev))
        )
