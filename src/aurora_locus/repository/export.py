"""Export of a repository or of a proof as a CAR, which is read in pages while it is being sent.

A full export traverses the tree in pre-order, so that a reader can verify it as it arrives. Its memory is bounded: a
first batch of blocks is read in storage order, which takes half the time of single look-ups, and blocks that are not in
it are looked up. While an export runs, the blocks below its root are kept (``Repositories.exporting``).
"""

from collections.abc import AsyncIterator
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

# Blocks per statement. Large ones are read one at a time, which limits the memory of an export.
_BATCH = 250
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


async def export(repositories: Repositories, did: Did, since: Tid | None = None) -> AsyncIterator[bytes]:
    """Yield the chunks of a repository's CAR, root first. With ``since``, only the blocks added after that rev.

    For an unknown or very old rev the CAR contains more than is needed, never less. Blocks below other roots are never
    sent, so that a deleted record is not readable while an export from before its deletion goes on.
    """
    async with repositories.exporting(did) as head:
        commit = await _commit(repositories.db, head)
        header = b"".join(car.write([commit.cid], [(commit.cid, commit.block)]))
        db = repositories.db
        sections = _all_blocks(db, head) if since is None else _newer(db, head, since)
        async for chunk in _chunks(header, sections):
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


async def _chunks(header: bytes, sections: AsyncIterator[list[bytes]]) -> AsyncIterator[bytes]:
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


async def _newer(db: Database, head: Head, since: Tid) -> AsyncIterator[list[bytes]]:
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
        links = stack[-_LINKS_AT_ONCE:]
        del stack[-_LINKS_AT_ONCE:]
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
            yield sections


async def _all_blocks(db: Database, head: Head) -> AsyncIterator[list[bytes]]:
    """Yield nodes and records in pre-order. A record at several paths may be sent more than once, which readers expect.

    Blocks are sent as they are stored, because readers verify the export.
    """
    first = await _first_blocks(db, head.did)
    opened: dict[bytes, _OpenedNode] = {}
    stack: list[_Link] = [(bytes(head.data), True)]  # what remains to be sent, the next one last
    while stack:
        batch: list[tuple[bytes, bytes | None]] = []
        while stack and len(batch) < _BATCH:
            cid, is_node = stack[-1]
            node = opened.pop(cid, None) if is_node else None
            if is_node and node is None:
                if (block := first.pop(cid, None)) is not None:
                    opened[cid] = _open(head.did, cid, block)
                else:
                    await _open_ahead(db, head.did, stack, opened)
                continue
            stack.pop()
            batch.append((cid, first.pop(cid, None) if node is None else node.block))
            if node is not None:
                stack += reversed(node.links)
        async for sections in _sections(db, head.did, batch):
            yield sections


async def _first_blocks(db: Database, did: Did) -> dict[bytes, bytes]:
    """Read the first few megabytes of blocks in CID order, which is random with respect to the tree."""
    blocks: dict[bytes, bytes] = {}
    after, size = b"", 0
    while size < _FIRST_BYTES and (page := await reader.blocks_after(db, did, after, limit=_FIRST_PAGE)):
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


async def _open_ahead(db: Database, did: Did, stack: list[_Link], opened: dict[bytes, _OpenedNode]) -> None:
    """Load the next node, its neighbours, and some levels below them.

    A node has about four children, so fetching only siblings would take a statement for every few records. Raises
    DamagedRepository if the next node is missing or is not a node.
    """
    links = list(islice((cid for cid, is_node in reversed(stack) if is_node), _NEIGHBOURS))
    for _ in range(_LEVELS_AHEAD):
        if missing := [cid for cid in links if cid not in opened][:_NODES_AHEAD]:
            for cid, block in (await reader.load_raw_blocks(db, did, missing)).items():
                opened[cid] = _open(did, cid, block)
        links = [cid for above in links if above in opened for cid, is_node in opened[above].links if is_node]
    if stack[-1][0] not in opened:
        raise DamagedRepository(did, Cid(stack[-1][0]))


def _open(did: Did, cid: bytes, block: bytes) -> _OpenedNode:
    try:
        return _OpenedNode(block, links_of(block))
    except Malformed as error:
        raise DamagedRepository(did, Cid(cid)) from error
