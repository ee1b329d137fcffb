"""The write path: every change of a repository is one signed commit, one transaction and one event.

Writes arrive prepared (validated, encoded, hashed, blobs checked). Then, for one repository at a time: compare the
caller's expectations with the current state, edit the tree, sign, and in one transaction store blocks, index, head,
blob references and the numbered event. The response is sent only after that is durable. If another process has moved
the head, the statement that moves it notices, and the work is repeated on the new head when it is this process's turn
(``repositories.RepositoryTurns``).
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from at_protocol.data.cid import Cid
from at_protocol.repo import car, edit
from at_protocol.repo.change import RepoChange
from at_protocol.repo.commit import Commit, sign_commit
from at_protocol.repo.mst import Tree
from at_protocol.sync import events
from at_protocol.sync.events import CommitMessage, RepoOperation
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from aurora_locus.repository import writer
from aurora_locus.repository.duplicates import with_deletions
from aurora_locus.repository.model import DurableCommit, Head, NoSwapRecord, PreparedWrite, WriteAction
from aurora_locus.repository.nodes import DamagedRepository, with_nodes
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.statuses import require_writable
from aurora_locus.repository.writer import Changeset, IndexChange, StaleHead
from groundwork.database.transaction import Writer
from groundwork.errors import Conflict, InvalidInput, NotFound, Unavailable

MAX_WRITES = events.MAX_OPERATIONS

# A head becomes stale only when another process writes the same repository. On SQLite this is an operator's command. On
# PostgreSQL writers queue, so it is a write that does not queue: the end of an import, or a repair. The loser waits for
# a short, random time.
_ATTEMPTS = 8
_PAUSE_SECONDS = 0.005


async def commit(
    repositories: Repositories, did: Did, writes: Sequence[PreparedWrite], *, swap_commit: Cid | None = None
) -> DurableCommit | None:
    """Apply the writes in one commit. Return None if nothing had to change (identical put, deletion of an absent
    record).

    Raises Conflict (``InvalidSwap``) if ``swap_commit`` or a write's ``swap`` does not match, InvalidInput for two
    writes of one path, for creating a record that exists or for too many writes, NotFound for an update of an absent
    record. In all these cases nothing is written.
    """
    if len(writes) > MAX_WRITES:
        raise InvalidInput("writes", f"{len(writes)} writes; one commit has at most {MAX_WRITES}.")
    paths = {write.path for write in writes}
    if len(paths) != len(writes):
        raise InvalidInput("writes", "Two writes of one batch are about the same record.")
    async with repositories.locks.hold(did):
        turns = repositories.turns
        if not turns.should_queue(did):
            try:
                return await _attempt(repositories, did, writes, swap_commit, queue=turns.queue_of(did))
            except StaleHead:
                turns.note_lost_race(did)
        async with turns.take(did):
            for attempt in range(_ATTEMPTS):
                repositories.forget_head(did)
                try:
                    return await _attempt(repositories, did, writes, swap_commit, queue=None)
                except StaleHead:
                    await asyncio.sleep(_PAUSE_SECONDS * 2**attempt * random.random())  # noqa: S311 - no secret
    raise Unavailable(f"The repository {did} is being written by somebody else; try again.")


async def _attempt(
    repositories: Repositories, did: Did, writes: Sequence[PreparedWrite], swap_commit: Cid | None, *, queue: int | None
) -> DurableCommit | None:
    """Plan and store the commit once. Raises StaleHead if the head that it was planned on is outdated, or if other
    processes are queued.
    """
    head = await repositories.head(did)
    require_writable(head)
    try:
        _require_swap(head, swap_commit)
        committed = await _commit_on(repositories, head, await with_deletions(repositories.db, did, writes), queue)
    except (Conflict, InvalidInput, NotFound, DamagedRepository) as failure:
        # If another process has replaced the head, nothing that was read is valid, and the old tree may be gone.
        if isinstance(failure, DamagedRepository) or repositories.turns.are_shared:
            await _require_present(repositories, head)
        raise
    if committed is None and repositories.turns.are_shared:
        await _require_present(repositories, head)
    return committed


def _require_swap(head: Head, swap_commit: Cid | None) -> None:
    if swap_commit is not None and swap_commit != head.commit:
        raise Conflict(f"The repository is at commit {head.commit}, not at {swap_commit}.", name="InvalidSwap")


async def _require_present(repositories: Repositories, head: Head) -> None:
    """Raise StaleHead unless this is still the repository's head."""
    repositories.forget_head(head.did)
    if await repositories.head(head.did) != head:
        raise StaleHead


async def recommit(repositories: Repositories, did: Did, *, as_sync: bool = False) -> DurableCommit:
    """Make an empty commit: the same records with a new rev and the current key (after a key rotation, a restore).

    With ``as_sync`` it is announced as ``#sync`` and not as the successor of the previous commit, which consumers may
    not have seen.
    """
    async with repositories.locks.hold(did), repositories.turns.take(did):
        repositories.forget_head(did)
        head = await repositories.head(did)
        require_writable(head)
        unchanged = edit.EditedTree(head.data, {}, frozenset(), {})
        return await _store(repositories, head, (), unchanged, (), queue=None, is_sent_as_sync=as_sync)


async def _commit_on(
    repositories: Repositories, head: Head, writes: Sequence[PreparedWrite], queue: int | None
) -> DurableCommit | None:
    def plan(tree: Tree) -> tuple[list[tuple[PreparedWrite, RepoChange]], edit.EditedTree | None]:
        changes = _decide(tree, writes)
        return changes, edit.apply_changes(tree, [change for _, change in changes]) if changes else None

    paths = [write.path for write in writes]
    changes, edited = await with_nodes(repositories.db, repositories.nodes, head.did, head.data, plan, paths)
    if edited is None:
        return None
    writes_to_commit, repo_changes = [write for write, _ in changes], [change for _, change in changes]
    return await _store(repositories, head, writes_to_commit, edited, repo_changes, queue=queue)


def _decide(tree: Tree, writes: Sequence[PreparedWrite]) -> list[tuple[PreparedWrite, RepoChange]]:
    """Return the change that each write makes to the current state. Writes without effect are left out."""
    changes = []
    for write in writes:
        current = tree.get(write.path)
        if not isinstance(write.swap, NoSwapRecord) and write.swap != current:
            raise Conflict(f"The record {write.path} is at {current or 'nothing'}, not at {write.swap or 'nothing'}.")
        if write.action is WriteAction.CREATE and current is not None:
            raise InvalidInput("rkey", f"There is already a record at {write.path}.")
        if write.action is WriteAction.UPDATE and current is None:
            raise NotFound(f"There is no record at {write.path}.", name="RecordNotFound")
        if current != write.cid:
            changes.append((write, RepoChange(write.path, current, write.cid)))
    return changes


async def _store(
    repositories: Repositories,
    head: Head,
    writes: Sequence[PreparedWrite],
    edited: edit.EditedTree,
    changes: Sequence[RepoChange],
    *,
    queue: int | None,
    is_sent_as_sync: bool = False,
) -> DurableCommit:
    key = await repositories.keys.signing_key(head.did)
    rev = repositories.next_rev(head.rev)
    commit = sign_commit(key, did=head.did, rev=rev, data=edited.root)
    records = {write.cid: write.block for write in writes if write.cid is not None and write.block is not None}
    message = CommitMessage(
        seq=0,
        repo=head.did,
        time=format_datetime(repositories.clock.now()),
        rev=rev,
        since=head.rev,
        commit=commit.cid,
        blocks=_announced_blocks(commit, edited, records),
        operations=tuple(_operation(change) for change in changes),
        prev_data=head.data,
    )
    changeset = Changeset(
        before=head,
        commit=commit,
        rev=rev,
        nodes={commit.cid: commit.block, **edited.new_blocks},
        removed_nodes=(head.commit, *edited.removed),
        removed_records=[change.before for change in changes if change.before is not None],
        index=[
            IndexChange(
                write.collection,
                write.rkey,
                write.cid,
                write.block,
                write.blobs,
                write.subject,
                had_record=change.before is not None,
            )
            for write, change in zip(writes, changes, strict=True)
        ],
        frame=events.encode_unsequenced(message),
        is_sent_as_sync=is_sent_as_sync,
    )
    await make_durable(
        repositories,
        replace(head, commit=commit.cid, rev=rev, data=commit.data),
        lambda w: writer.store(w, repositories.live, changeset, keeps=repositories.keeps_removed, queue=queue),
    )
    return DurableCommit(commit.cid, rev)


async def make_durable(repositories: Repositories, after: Head, store: Callable[[Writer], list[Cid]]) -> None:
    """Run the statements that lead to a new head. Afterwards remove the files of the blobs that they deleted."""
    did = after.did

    def work(w: Writer) -> None:
        collected = store(w)
        w.after_commit(lambda: repositories.put_head(after))
        if collected:
            w.after_commit(lambda: repositories.blobs.remove_files_soon(did, collected))

    write_task = asyncio.ensure_future(repositories.db.write(work))
    try:
        await asyncio.shield(write_task)
    except asyncio.CancelledError:
        # The client hung up. A commit that has begun is not undone, and no other commit may begin before it has ended.
        await asyncio.wait({write_task})
        raise
    except BaseException:
        repositories.forget_head(did)
        raise


def _announced_blocks(commit: Commit, edited: edit.EditedTree, records: dict[Cid, bytes]) -> bytes:
    """Return the CAR for the announcement: the commit, the tree's new nodes and the nodes that prove them, and the
    records written.
    """
    sections = [(commit.cid, commit.block), *edited.new_blocks.items(), *edited.proof_blocks.items(), *records.items()]
    blocks = b"".join(car.write([commit.cid], sections))
    if len(blocks) > events.MAX_BLOCKS_BYTES:
        why = f"The commit would have {len(blocks)} bytes; at most {events.MAX_BLOCKS_BYTES} are allowed."
        raise InvalidInput("writes", why)
    return blocks


def _operation(change: RepoChange) -> RepoOperation:
    if change.after is None:
        action = events.RecordAction.DELETE
    else:
        action = events.RecordAction.CREATE if change.before is None else events.RecordAction.UPDATE
    return RepoOperation(action, change.path, change.after, change.before)
