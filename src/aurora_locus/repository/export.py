"""A repository, or a proof about it, as a CAR for a stranger; read in pages while it is being sent.

A full export goes through the tree in pre-order, the order in which a reader can check it as it arrives; its memory does not
grow with the repository. While it runs the blocks below its root stay (``Repositories.exporting``).
"""

import asyncio
from collections.abc import AsyncIterator

from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.commit import Commit, parse_commit
from at_protocol.repo.mst import MissingBlock, Tree, Walk
from at_protocol.repo.node import Node, parse_node
from at_protocol.repo.proof import write_record_proof
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from aurora_locus.repository import reader
from aurora_locus.repository.model import Head
from aurora_locus.repository.nodes import DamagedRepository, with_nodes
from aurora_locus.repository.repositories import Repositories
from groundwork.database.transaction import Database

# Sections per statement and per chunk sent. A record has at most a megabyte, so this bounds an export's memory.
_BATCH = 250
# Nodes loaded ahead of the walk: so many neighbours, so many levels, so many per level.
_NEIGHBOURS = 4
_LEVELS_AHEAD = 4
_NODES_AHEAD = 100
_CHUNK_BYTES = 64 * 1024


# A node with its bytes, or a record whose bytes are still to be read.
_Item = tuple[Cid, bytes | None]


async def export(repositories: Repositories, did: Did, since: Tid | None = None) -> AsyncIterator[bytes]:
    """The chunks of a repository's CAR, root first; with ``since`` the blocks that came after that rev.

    A rev that the repository never had, or has long left behind, gives more than is needed, never less.
    """
    async with repositories.exporting(did) as head:
        commit = await _commit(repositories.db, head)
        header = b"".join(car.write([commit.cid], [(commit.cid, commit.block)]))
        db = repositories.db
        sections = _whole(db, head) if since is None else _newer(db, head, since)
        async for chunk in _chunks(header, sections):
            yield chunk


async def record_proof(repositories: Repositories, did: Did, path: str) -> bytes:
    """A CAR that proves what is, or that nothing is, under ``collection/rkey``."""
    head = await repositories.head(did)
    try:
        return await _proof(repositories, head, path)
    except DamagedRepository:
        if await repositories.head(did) == head:
            raise
    # The repository moved on while it was read; this time it is kept from doing so below our feet.
    async with repositories.exporting(did) as head:
        return await _proof(repositories, head, path)


async def _proof(repositories: Repositories, head: Head, path: str) -> bytes:
    commit = await _commit(repositories.db, head)

    def work(tree: Tree) -> bytes:
        return write_record_proof(commit, path, tree.source)

    return await with_nodes(repositories.db, repositories.nodes, head.did, head.data, work, keep=False)


async def _commit(db: Database, head: Head) -> Commit:
    found = await reader.load_blocks(db, head.did, [head.commit])
    if head.commit not in found:
        raise DamagedRepository(head.did, head.commit)
    return parse_commit(found[head.commit], head.commit)


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
    """The blocks that a rev since then brought; the head's commit has been sent already.

    Blocks removed while this runs are still there (:meth:`Repositories.exporting`), so none is left out.
    """
    after = b""
    while page := await reader.blocks_since(db, head.did, since, after, limit=_BATCH):
        yield [car.section(cid, block) for cid, block in page if cid != head.commit]
        after = bytes(page[-1][0])


async def _whole(db: Database, head: Head) -> AsyncIterator[list[bytes]]:
    """Nodes and records in pre-order. A record under several paths may be sent more than once, which readers expect.

    While one batch's records are being read the walk goes on to the next: disk and processor take turns otherwise.
    """
    nodes: dict[Cid, Node] = {}
    walk = Tree(head.data, _nowhere, nodes).walk()
    batch: list[_Item] = []
    reading: asyncio.Task[list[bytes]] | None = None
    ended = False
    try:
        while not ended:
            missing, ended = _advance(walk, nodes, batch)
            if missing is not None:
                await _load_ahead(db, head.did, walk, nodes)
                if missing not in nodes:
                    raise DamagedRepository(head.did, missing)
                continue
            before, reading = reading, asyncio.create_task(_sections(db, head.did, batch))
            batch = []
            if before is not None:
                yield await before
        if reading is not None:
            yield await reading
    finally:
        if reading is not None:
            reading.cancel()  # of no effect but where the stranger has gone


async def _sections(db: Database, did: Did, batch: list[_Item]) -> list[bytes]:
    wanted = {cid for cid, block in batch if block is None}
    found = await reader.load_blocks(db, did, wanted) if wanted else {}
    for cid in wanted - found.keys():
        raise DamagedRepository(did, cid)
    return [car.section(cid, found[cid] if block is None else block) for cid, block in batch]


def _advance(walk: Walk, nodes: dict[Cid, Node], batch: list[_Item]) -> tuple[Cid | None, bool]:
    """Walk on until the batch is full, a node is missing or the tree ends: (missing node, whether it ended).

    Nodes come with their bytes and leave ``nodes``; of records only the CID is known here.
    """
    try:
        for item in walk:
            if isinstance(item, Node):
                nodes.pop(item.cid, None)
                batch.append((item.cid, item.block))
            else:
                batch.append((item[1], None))
            if len(batch) >= _BATCH:
                return None, False
    except MissingBlock as missing:
        return missing.cid, False
    return None, True


async def _load_ahead(db: Database, did: Did, walk: Walk, nodes: dict[Cid, Node]) -> None:
    """Load the node that the walk stopped at, its neighbours, and some levels of what hangs below them.

    A node has about four children, so fetching only siblings would take a statement for every handful of records.
    """
    links = walk.wanted(_NEIGHBOURS)
    for _ in range(_LEVELS_AHEAD):
        if missing := [cid for cid in links if cid not in nodes][:_NODES_AHEAD]:
            for cid, block in (await reader.load_blocks(db, did, missing)).items():
                nodes[cid] = parse_node(block, cid)
        links = [child for cid in links if cid in nodes for child in nodes[cid].children if child is not None]


def _nowhere(_: Cid) -> None:
    """Nodes are parsed once, when they are loaded; the tree finds them there or not at all."""
