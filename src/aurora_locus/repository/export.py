"""Export of a repository or of a proof as a CAR, which is read in pages while it is being sent.

A full export traverses the tree in pre-order, so that a reader can verify it as it arrives. Its memory is bounded: a
first batch of blocks is read in storage order, which takes half the time of single look-ups, and blocks that are not in
it are looked up. Anybody can download hundreds of repositories at once and read slowly, so all exports share a budget:
the less of it is left, the fewer blocks each reads ahead. While an export runs, the blocks below its root are kept
(``Repositories.exporting``).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo import car
from at_protocol.repo.commit import Commit, parse_commit
from at_protocol.repo.node import links_of
from at_protocol.repo.proof import path_proof, write_proof
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from aurora_locus.repository import reader
from aurora_locus.repository.model import Head
from aurora_locus.repository.nodes import DamagedRepository, with_nodes
from aurora_locus.repository.repositories import Repositories
from groundwork.database.transaction import Database
from groundwork.memory_budget import MemoryBudget

# Blocks per statement, and how many if no memory is left. Large ones are read one at a time.
_BATCH = 250
_LEAST_BATCH = 10
# A small block, and its copy in the file.
_BLOCK_BYTES = 2 * reader.SMALL_BYTES
# Nodes loaded ahead of the traversal: number of neighbours, of levels, and of nodes per level.
_NEIGHBOURS = 4
_LEVELS_AHEAD = 4
_NODES_AHEAD = 100
# Links followed at once in a repository of which only the new blocks are sent.
_LINKS_AT_ONCE = 100
# About ten megabytes.
_REMEMBERED_RECORDS = 50_000
_CHUNK_BYTES = 64 * 1024
# About as large as a repository of 10,000 short records.
_FIRST_BYTES = 6 * 1024 * 1024
_FIRST_PAGE = 1000


# The bytes of a CID, and whether it is the CID of a tree node; otherwise it is that of a record.
_Link = tuple[bytes, bool]


class _OpenedNode(NamedTuple):
    """A node and its links, in order."""

    block: bytes
    links: list[_Link]


@dataclass(slots=True)
class _HeldBlocks:
    """The blocks that an export has read and not sent yet: ``first_bytes`` of the first read, and those of a batch."""

    memory: MemoryBudget
    hold: Callable[[int], None]
    first_bytes: int = 0

    def batch_size(self, most: int) -> int:
        """Return how many blocks to read at once: ``most``, or fewer."""
        return min(most, max(_LEAST_BATCH, self.memory.share(most * _BLOCK_BYTES) // _BLOCK_BYTES))

    def count(self, sections: list[bytes]) -> None:
        """Count a batch, of blocks and their copies in the file, together with the first blocks."""
        self.hold(self.first_bytes + 2 * sum(map(len, sections)))


async def export(repositories: Repositories, did: Did, since: Tid | None = None) -> AsyncIterator[bytes]:
    """Yield the chunks of a repository's CAR, root first. With ``since``, only the blocks added after that rev.

    For an unknown or very old rev the CAR contains more than is needed, never less. Blocks below other roots are never
    sent, so that a deleted record is not readable while an export from before its deletion goes on.
    """
    async with repositories.exporting(did) as head:
        commit = await _commit(repositories.db, head)
        header = b"".join(car.write([commit.cid], [(commit.cid, commit.block)]))
        with repositories.export_memory.held() as hold:
            held = _HeldBlocks(repositories.export_memory, hold)
            db = repositories.db
            sections = _all_blocks(db, head, held) if since is None else _newer(db, head, since, held)
            async with aclosing(_chunks(header, sections)) as chunks:
                async for chunk in chunks:
                    yield chunk


async def record_proof(repositories: Repositories, did: Did, path: str) -> bytes:
    """Return a CAR that proves the presence or absence of ``collection/rkey``."""
    head = await repositories.head(did)
    try:
        return await _proof(repositories, head, path)
    except DamagedRepository:
        if await repositories.head(did) == head:
            raise
    # The repository changed during the read. This time its blocks are pinned.
    async with repositories.exporting(did) as head:
        return await _proof(repositories, head, path)


async def _proof(repositories: Repositories, head: Head, path: str) -> bytes:
    db, did = repositories.db, head.did
    tree_path = await with_nodes(db, repositories.read_nodes, did, head.data, lambda tree: path_proof(tree, path))
    cids = [head.commit] if tree_path.cid is None else [head.commit, tree_path.cid]
    blocks = await reader.load_blocks(db, did, cids)
    for cid in cids:
        if cid not in blocks:
            raise DamagedRepository(did, cid)
    return write_proof(head.commit, tree_path, blocks)


async def _commit(db: Database, head: Head) -> Commit:
    blocks = await reader.load_blocks(db, head.did, [head.commit])
    if head.commit not in blocks:
        raise DamagedRepository(head.did, head.commit)
    return parse_commit(blocks[head.commit], head.commit)


async def _chunks(header: bytes, sections: AsyncIterator[list[bytes]]) -> AsyncGenerator[bytes, None]:
    pending = [header]
    size = len(header)
    async for batch in sections:
        for section in batch:
            pending.append(section)
            size += len(section)
            if size >= _CHUNK_BYTES:
                yield b"".join(pending)
                pending.clear()
                size = 0
    yield b"".join(pending)


async def _newer(db: Database, head: Head, since: Tid, held: _HeldBlocks) -> AsyncIterator[list[bytes]]:
    """Yield the nodes and records that were added after a rev, in no particular order. A record at several paths is sent
    once if no more than a few ten thousand others come in between.

    Only blocks below the root are sent: the store also contains those that another export needs, and those of a running
    import. Below a node that was added earlier, nothing is new: it would have been added again with what is below it.
    """
    stack: list[_Link] = [(bytes(head.data), True)]
    sent: set[bytes] = set()
    while stack:
        if len(sent) > _REMEMBERED_RECORDS:
            sent.clear()
        most = held.batch_size(_LINKS_AT_ONCE)
        links = stack[-most:]
        del stack[-most:]
        found = await reader.load_newer_blocks(db, head.did, list({cid for cid, _ in links}), since)
        batch: list[tuple[bytes, bytes | None]] = []
        for cid, is_node in links:
            if cid not in found:
                raise DamagedRepository(head.did, Cid(cid))
            is_newer, block = found[cid]
            if not is_newer or (not is_node and cid in sent):
                continue
            if is_node:
                block = await _block(db, head.did, cid) if block is None else block
                stack += _open(head.did, cid, block).links
            else:
                sent.add(cid)
            batch.append((cid, block))
        async for sections in _sections(db, head.did, batch):
            held.count(sections)
            yield sections


async def _all_blocks(db: Database, head: Head, held: _HeldBlocks) -> AsyncIterator[list[bytes]]:
    """Yield nodes and records in pre-order. A record at several paths may be sent more than once, which readers expect.

    Blocks are sent as they are stored, because readers verify the export.
    """
    first = await _first_blocks(db, head.did, held)
    held.first_bytes = sum(map(len, first.values()))
    held.count([])
    opened: dict[bytes, _OpenedNode] = {}
    stack: list[_Link] = [(bytes(head.data), True)]  # what remains to be sent, the next one last
    while stack:
        batch: list[tuple[bytes, bytes | None]] = []
        most = held.batch_size(_BATCH)
        while stack and len(batch) < most:
            cid, is_node = stack[-1]
            block = first.pop(cid, None)
            held.first_bytes -= len(block or b"")
            if is_node and cid not in opened:
                if block is None:
                    await _open_ahead(db, head.did, stack, opened, held.batch_size(_NODES_AHEAD))
                else:
                    opened[cid] = _open(head.did, cid, block)
            stack.pop()
            if is_node:
                node = opened.pop(cid)
                block = node.block
                stack += reversed(node.links)
            batch.append((cid, block))
        async for sections in _sections(db, head.did, batch):
            held.count(sections)
            yield sections


async def _first_blocks(db: Database, did: Did, held: _HeldBlocks) -> dict[bytes, bytes]:
    """Read the first few megabytes of blocks in CID order, which is random with respect to the tree."""
    blocks: dict[bytes, bytes] = {}
    after, size = b"", 0
    most_bytes, limit = held.memory.share(_FIRST_BYTES), held.batch_size(_FIRST_PAGE)
    while size < most_bytes and (page := await reader.blocks_after(db, did, after, limit=limit)):
        small = {cid: block for cid, block in page if block is not None}
        blocks.update(small)
        size += sum(map(len, small.values()))
        after = page[-1][0]
    return blocks


async def _sections(db: Database, did: Did, batch: list[tuple[bytes, bytes | None]]) -> AsyncIterator[list[bytes]]:
    """Yield a batch in CAR format, large blocks one at a time. Blocks that are None must still be read."""
    missing_cids = list({cid for cid, block in batch if block is None})
    blocks = await reader.load_small_blocks(db, did, missing_cids) if missing_cids else {}
    sections: list[bytes] = []
    for cid, known in batch:
        block = blocks.get(cid) if known is None else known
        if block is None:
            yield sections
            sections = []
            block = await _block(db, did, cid)
        sections.append(car.raw_section(cid, block))
    yield sections


async def _block(db: Database, did: Did, cid: bytes) -> bytes:
    block = (await reader.load_raw_blocks(db, did, [cid])).get(cid)
    if block is None:
        raise DamagedRepository(did, Cid(cid))
    return block


async def _open_ahead(db: Database, did: Did, stack: list[_Link], opened: dict[bytes, _OpenedNode], most: int) -> None:
    """Load the next node, and, unless they are large, its neighbours and some levels below them: ``most`` of each
    level.

    A node has about four children, so fetching only siblings would take a statement for every few records. Raises
    DamagedRepository if the next node is missing or is not a node.
    """
    links = list(islice((cid for cid, is_node in reversed(stack) if is_node), _NEIGHBOURS))
    for _ in range(_LEVELS_AHEAD):
        if missing := [cid for cid in links if cid not in opened][:most]:
            for cid, block in (await reader.load_small_blocks(db, did, missing)).items():
                if block is not None:
                    opened[cid] = _open(did, cid, block)
        links = [cid for above in links if above in opened for cid, is_node in opened[above].links if is_node]
    following = stack[-1][0]
    if following not in opened:
        opened[following] = _open(did, following, await _block(db, did, following))


def _open(did: Did, cid: bytes, block: bytes) -> _OpenedNode:
    try:
        return _OpenedNode(block, links_of(block))
    except Malformed as error:
        raise DamagedRepository(did, Cid(cid)) from error
