"""Import a whole repository from a CAR (``com.atproto.repo.importRepo``): all of it or nothing, as one commit.

Blocks are staged in short transactions, unreachable until the end, and so are the index rows of new paths if the repository is
deactivated, as in a migration: its index is not visible meanwhile (``import_running``). One transaction then moves the head
and changes the rest of the index, which must fit the two seconds of a transaction and is therefore bounded. A failed import's
staged rows are deleted at once, after a crash at the next start or periodically (``import_sweep``).
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from at_protocol.crypto.did_key import PrivateKey
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.change import RepoChange
from at_protocol.repo.commit import Commit, sign_commit
from at_protocol.repo.mst import EMPTY_ROOT
from at_protocol.repo.node import EMPTY_NODE, links_of
from at_protocol.syntax import tid
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from aurora_locus.repository import import_sweep, import_writer, reader
from aurora_locus.repository.commit import make_durable
from aurora_locus.repository.import_file import ImportFile
from aurora_locus.repository.import_plan import ImportPlan, RepositorySnapshot, plan_import
from aurora_locus.repository.model import Committed, Head, HostingStatus
from aurora_locus.repository.nodes import DamagedRepository
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.statuses import require_visible
from aurora_locus.repository.writer import StaleHead
from groundwork.clock import MINUTE
from groundwork.database.transaction import Database, TransactionTooLong, Writer
from groundwork.errors import InvalidInput, TooLarge, Unavailable
from groundwork.telemetry.logs import log

T = TypeVar("T")

# Clock skew that consumers tolerate.
_AHEAD = 5 * MINUTE
_BLOCKS_PER_STATEMENT = 250
_STAGED_BYTES = 2 * 1024 * 1024
_STAGED_BLOCKS = 2000
_STAGED_RECORDS = 2000
# Smallest batch when a busy database took too long for more.
_STAGED_AT_LEAST = 50

# Index rows that the last transaction changes: half of what PostgreSQL on two shared cores does in its two seconds.
IN_ONE_STEP = 60_000


async def import_repository(repositories: Repositories, did: Did, file: ImportFile) -> Committed | None:
    """Make the repository equal to the file; None if it already is.

    The import of a deactivated account is not announced, that of an active one is, as ``#sync``. Raises InvalidInput for a
    file that is not a whole repository of this account, TooLarge for too many changes at once, Refused for an account that was
    taken down; nothing is then changed.
    """
    async with repositories.locks.hold(did):
        repositories.forget_head(did)
        head = await repositories.head(did)
        if head.status is not HostingStatus.DEACTIVATED:
            require_visible(head)
        held = await _held(repositories.db, head)
        try:
            plan = await asyncio.to_thread(plan_import, did, file.roots, file.find, held)
        except Malformed as error:
            raise InvalidInput("", f"The repository cannot be imported: {error.why}.") from None
        if plan.refused or plan.flaws:
            log.info("repository.imported_as_stored", did=did, refused=len(plan.refused), flawed=len(plan.flaws))
        imported = _believed_rev(plan.commit, repositories.clock.now())
        if plan.data == head.data and (imported is None or imported <= head.rev):
            return None
        key = await repositories.keys.signing_key(did)
        return await _store(repositories, head, plan, file, key, max(head.rev, imported or head.rev))


def _believed_rev(commit: Commit, now: int) -> Tid | None:
    """The file's rev, which ours must follow; not one from the future, which no consumer has accepted either."""
    if commit.rev is None or tid.to_microseconds(commit.rev) > now + _AHEAD:
        return None
    return commit.rev


async def _held(db: Database, head: Head) -> RepositorySnapshot:
    """The current tree and index, read in pages: a level of the tree at a time."""
    nodes: dict[Cid, bytes] = {}
    level = [bytes(head.data)]
    while level:
        below: list[bytes] = []
        for start in range(0, len(level), _BLOCKS_PER_STATEMENT):
            wanted = level[start : start + _BLOCKS_PER_STATEMENT]
            found = await reader.load_raw_blocks(db, head.did, wanted)
            for cid in wanted:
                if cid not in found:
                    raise DamagedRepository(head.did, Cid(cid))
                nodes[Cid(cid)] = found[cid]
                below += [link for link, is_node in links_of(found[cid]) if is_node]
        level = below
    return RepositorySnapshot(head.data, nodes, await reader.all_entries(db, head.did))


def _in_last_step(head: Head, plan: ImportPlan) -> Sequence[RepoChange]:
    """The index changes that cannot be staged. Raises TooLarge."""
    is_hidden = head.status is HostingStatus.DEACTIVATED
    changes = [change for change in plan.changes if change.before is not None] if is_hidden else plan.changes
    if len(changes) + sum(map(len, plan.blobs.values())) <= IN_ONE_STEP:
        return changes
    how = (
        "Bring it in parts: first an older, smaller copy of the repository, then this one, of which then only the difference is stored."
        if is_hidden
        else "Deactivate the account first (deactivateAccount): then any number of new records can be imported. Activate it afterwards."
    )
    raise TooLarge(f"This would change {len(changes)} records at once; at most {IN_ONE_STEP} can. {how}")


async def _store(
    repositories: Repositories, head: Head, plan: ImportPlan, file: ImportFile, key: PrivateKey, previous: Tid
) -> Committed:
    last_step = _in_last_step(head, plan)
    did, rev, db = head.did, repositories.next_rev(previous), repositories.db
    made = sign_commit(key, did=did, rev=rev, data=plan.data)
    try:
        await db.write(lambda w: import_writer.begin(w, head, made))
        batches = _batches(plan, file)
        while batch := await asyncio.to_thread(next, batches, None):
            await _lay_down(db, batch, lambda w, blocks: import_writer.stage(w, made, blocks))
        for rows in _rows_beforehand(plan, last_step):
            await _lay_down(db, rows, lambda w, changes: import_writer.stage_records(w, made, changes))
        await make_durable(
            repositories,
            Head(did, head.status, made.cid, rev, made.data),
            lambda w: import_writer.store(
                w, repositories.live, head, made, plan, last_step, keeps=repositories.keeps_removed
            ),
        )
    except TransactionTooLong:
        await _take_back(repositories, made)
        raise Unavailable(
            f"Nothing was changed: the {len(plan.changes)} changed records of this repository take the database longer than "
            "one transaction may last here. Try again at a quieter time. If that fails as well, bring it in parts: first "
            "an older, smaller copy of the repository, then this one, of which then only the difference is stored."
        ) from None
    except StaleHead:
        await _take_back(repositories, made)
        raise Unavailable(f"The repository {did} is being written by somebody else; try again.") from None
    except BaseException:
        await _take_back(repositories, made)
        raise
    return Committed(made.cid, rev)


async def _lay_down(db: Database, rows: Sequence[T], write: Callable[[Writer, Sequence[T]], None]) -> None:
    """In one transaction, or by halves if a busy database took too long. Raises TransactionTooLong."""
    try:
        await db.write(lambda w: write(w, rows))
    except TransactionTooLong:
        if len(rows) <= _STAGED_AT_LEAST:
            raise
        middle = len(rows) // 2
        await _lay_down(db, rows[:middle], write)
        await _lay_down(db, rows[middle:], write)


async def _take_back(repositories: Repositories, made: Commit) -> None:
    """Delete the staged rows, unless they have become the repository (the client hung up during the last transaction)."""
    did, rev = made.did, made.rev
    repositories.forget_head(did)
    if rev is None:
        raise AssertionError
    if (await repositories.head(did)).commit != made.cid:
        await asyncio.shield(
            repositories.when_not_exporting(did, lambda: import_sweep.sweep(repositories.db, did, rev))
        )


def _batches(plan: ImportPlan, file: ImportFile) -> Iterator[list[tuple[Cid, bytes, int]]]:
    """The blocks that are new here with their reference counts, a few megabytes at a time."""
    batch: list[tuple[Cid, bytes, int]] = []
    size = 0
    for cid, uses in plan.staged.items():
        block = EMPTY_NODE if cid == EMPTY_ROOT else plan.rebuilt.get(cid) or file.find(cid)
        if block is None:
            raise AssertionError(cid)
        batch.append((cid, block, uses))
        size += len(block)
        if size >= _STAGED_BYTES or len(batch) >= _STAGED_BLOCKS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _rows_beforehand(plan: ImportPlan, last_step: Sequence[RepoChange]) -> Iterator[Sequence[RepoChange]]:
    """The index rows to stage, a short transaction's worth at a time."""
    if last_step is plan.changes:
        return
    new = [change for change in plan.changes if change.before is None]
    for start in range(0, len(new), _STAGED_RECORDS):
        yield new[start : start + _STAGED_RECORDS]
