"""Repair of one repository from what is still readable.

If the tree is intact, the index is rebuilt from it; if nodes are missing, the tree is rebuilt from the index. Records
whose bytes are missing are lost: they are listed, and the other records are kept. Rows of blobs without a file are
deleted, so that ``listMissingBlobs`` lists these blobs and they can be uploaded again.
"""

from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.build import build
from at_protocol.repo.mst import EMPTY_ROOT, MissingBlock, Tree
from at_protocol.repo.node import EMPTY_NODE, Node
from at_protocol.repo.stored_record import read_stored
from at_protocol.syntax.did import Did
from aurora_locus.blobs.uploads import object_name, quarantine_name
from aurora_locus.maintenance.integrity import in_store
from aurora_locus.repository import reader
from aurora_locus.repository.model import Head, HostingStatus
from aurora_locus.repository.rebuild import RepositoryContent, rebuild
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.statuses import not_hosted
from groundwork.errors import Refused

_PAGE = 250
_FORGET_BLOB = "delete from blobs where did = :did and cid = :cid"
_BLOBS = "select cid, size from blobs where did = :did order by cid"


@dataclass(frozen=True, slots=True)
class RepairResult:
    """Result of repairing one repository. ``from_tree`` is True if the tree was intact. ``lost`` has the paths of lost
    records.

    ``missing_blobs`` are blobs that had no file, or a damaged one, which was removed.
    """

    records: int
    from_tree: bool
    lost: tuple[str, ...]
    missing_blobs: tuple[Cid, ...]
    rev: str


async def repair(repositories: Repositories, did: Did) -> RepairResult:
    """Repair the repository and announce it. Raises NotFound; Refused if it was deleted."""
    async with repositories.locks.hold(did):
        repositories.forget_head(did)
        head = await reader.find_head(repositories.db, did)
        if head is None:
            raise not_hosted(did)
        if head.status is HostingStatus.DELETED:
            raise Refused("A deleted repository cannot be repaired.")
        missing = await _forget_missing_blobs(repositories, did)
        paths = await _entries_of_tree(repositories, head)
        from_tree = paths is not None
        if paths is None:
            paths = await reader.all_entries(repositories.db, did)
        blobs = await _existing_records(repositories, did, paths)
        entries = {path: cid for path, cid in sorted(paths.items(), key=_by_bytes) if path in blobs}
        built = build(entries.items())
        nodes = built.blocks or {EMPTY_ROOT: EMPTY_NODE}
        content = RepositoryContent(entries, built.root, nodes, {path: cids for path, cids in blobs.items() if cids})
        committed = await rebuild(repositories, head, content)
    lost_paths = tuple(path for path in paths if path not in entries)
    return RepairResult(len(entries), from_tree, lost_paths, missing, str(committed.rev))


def _by_bytes(entry: tuple[str, Cid]) -> bytes:
    return entry[0].encode()


async def _load(repositories: Repositories, did: Did, cids: list[Cid]) -> dict[Cid, bytes]:
    """Load the blocks that have a valid hash."""
    blocks = await reader.load_blocks(repositories.db, did, cids)
    return {cid: block for cid, block in blocks.items() if Cid.for_cbor(block) == cid}


async def _entries_of_tree(repositories: Repositories, head: Head) -> dict[str, Cid] | None:
    """Return the entries of the tree; None if it cannot be walked to the end."""
    nodes: dict[Cid, bytes] = {EMPTY_ROOT: EMPTY_NODE}
    walk = Tree(head.data, nodes.get).walk()
    entries: dict[str, Cid] = {}
    while True:
        try:
            entries.update(item for item in walk if not isinstance(item, Node))
        except MissingBlock as missing:
            blocks = await _load(repositories, head.did, [missing.cid, *walk.next_nodes()])
            if missing.cid not in blocks:
                return None
            nodes.update(blocks)
        except Malformed:
            return None
        else:
            return entries


async def _existing_records(repositories: Repositories, did: Did, entries: dict[str, Cid]) -> dict[str, frozenset[Cid]]:
    """Return the paths whose records exist, with the blob references of each."""
    by_cid: dict[Cid, frozenset[Cid]] = {}
    cids = list(dict.fromkeys(entries.values()))
    for start in range(0, len(cids), _PAGE):
        for cid, block in (await _load(repositories, did, cids[start : start + _PAGE])).items():
            by_cid[cid] = frozenset(blob.cid for blob in read_stored(cid, block).blobs())
    return {path: by_cid[cid] for path, cid in entries.items() if cid in by_cid}


async def _forget_missing_blobs(repositories: Repositories, did: Did) -> tuple[Cid, ...]:
    store, db = repositories.blobs.store, repositories.db
    async with db.reader() as db_reader:
        rows = await db_reader.fetch(_BLOBS, did=did)
    missing = []
    is_stored = in_store(store, reads=True)
    for row in rows:
        cid = Cid(row["cid"])
        size = await is_stored(did, cid, row["size"])
        if size == row["size"]:
            continue
        missing.append(cid)
        if size is not None:
            for name in (object_name(did, cid), quarantine_name(did, cid)):
                await store.delete(name)
    await db.write(lambda w: w.execute_many(_FORGET_BLOB, [{"did": did, "cid": bytes(cid)} for cid in missing]))
    return tuple(missing)
