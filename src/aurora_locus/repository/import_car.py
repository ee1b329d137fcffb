"""Bring a whole repository in from its file (``com.atproto.repo.importRepo``): all of it or nothing, as one commit.

The blocks are laid down beforehand in short transactions, where nothing finds them; one transaction then moves the head
and the index. What an import that failed has laid down is taken back at once, after a crash at the next start.
"""

import asyncio
from collections.abc import Iterator

from at_protocol.crypto.did_key import PrivateKey
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.commit import Commit, sign_commit
from at_protocol.repo.mst import EMPTY_ROOT
from at_protocol.repo.node import EMPTY_NODE, links_of
from at_protocol.syntax import tid
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from aurora_locus.repository import import_writer, reader
from aurora_locus.repository.commit import make_durable
from aurora_locus.repository.import_file import ImportFile
from aurora_locus.repository.import_plan import Held, Plan, plan_import
from aurora_locus.repository.model import Committed, Head, Status
from aurora_locus.repository.nodes import DamagedRepository
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.statuses import require_visible
from aurora_locus.repository.writer import StaleHead
from groundwork.clock import MINUTE
from groundwork.database.transaction import Database, TransactionTooLong
from groundwork.errors import InvalidInput, Unavailable

# What consumers tolerate as the difference of two clocks.
_AHEAD = 5 * MINUTE
_BLOCKS_PER_STATEMENT = 250
_STAGED_BYTES = 2 * 1024 * 1024
_STAGED_BLOCKS = 2000


async def import_repository(repositories: Repositories, did: Did, file: ImportFile) -> Committed | None:
    """Make the repository what the file says; None when it is that already.

    A deactivated account's import is told to nobody, an active one's as ``#sync``. Raises InvalidInput for a file that is
    not a whole repository of this account, Refused for one that was taken down; nothing is then changed.
    """
    async with repositories.locks.hold(did):
        repositories.forget_head(did)
        head = await repositories.head(did)
        if head.status is not Status.DEACTIVATED:
            require_visible(head)
        held = await _held(repositories.db, head)
        try:
            plan = await asyncio.to_thread(plan_import, did, file.roots, file.find, held)
        except Malformed as error:
            raise InvalidInput("", f"The repository cannot be imported: {error.why}.") from None
        imported = _believed_rev(plan.commit, repositories.clock.now())
        if plan.commit.data == head.data and (imported is None or imported <= head.rev):
            return None
        key = await repositories.keys.signing_key(did)
        return await _store(repositories, head, plan, file, key, max(head.rev, imported or head.rev))


def _believed_rev(commit: Commit, now: int) -> Tid | None:
    """The file's rev, which ours must follow; not one from the future, which no consumer has accepted either."""
    if commit.rev is None or tid.to_microseconds(commit.rev) > now + _AHEAD:
        return None
    return commit.rev


async def _held(db: Database, head: Head) -> Held:
    """The tree and the index as they are, in pages: a level of the tree at a time."""
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
    return Held(head.data, nodes, await reader.all_entries(db, head.did))


async def _store(
    repositories: Repositories, head: Head, plan: Plan, file: ImportFile, key: PrivateKey, previous: Tid
) -> Committed:
    did, rev, db = head.did, repositories.next_rev(previous), repositories.db
    made = sign_commit(key, did=did, rev=rev, data=plan.commit.data)
    keep_removed = repositories.is_exporting(did)
    try:
        await db.write(lambda w: import_writer.begin(w, made))
        batches = _batches(plan, file)
        while batch := await asyncio.to_thread(next, batches, None):
            await db.write(lambda w, batch=batch: import_writer.stage(w, made, batch))  # type: ignore[misc]  # a default binds it now
        await make_durable(
            repositories,
            Head(did, head.status, made.cid, rev, made.data),
            lambda w: import_writer.store(w, repositories.live, head, made, plan, keep_removed=keep_removed),
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


async def _take_back(repositories: Repositories, made: Commit) -> None:
    """Remove what was laid down, unless it has become the repository (the caller hung up during the last transaction)."""
    repositories.forget_head(made.did)
    if (await repositories.head(made.did)).commit != made.cid:
        await asyncio.shield(repositories.when_not_exporting(made.did, lambda w: import_writer.unstage(w, made)))


def _batches(plan: Plan, file: ImportFile) -> Iterator[list[tuple[Cid, bytes]]]:
    """The blocks that are new here, a few megabytes at a time."""
    batch: list[tuple[Cid, bytes]] = []
    size = 0
    for cid in plan.staged:
        block = EMPTY_NODE if cid == EMPTY_ROOT else file.find(cid)
        if block is None:
            raise AssertionError(cid)
        batch.append((cid, block))
        size += len(block)
        if size >= _STAGED_BYTES or len(batch) >= _STAGED_BLOCKS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
