"""Proof that a record is present or absent in a repository: the commit and the nodes on the path to the record.

Source: ``com.atproto.sync.getRecord``; repository specification.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from at_protocol.crypto.did_key import PublicKey
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo import car
from at_protocol.repo.commit import Commit, parse_commit, verify_commit
from at_protocol.repo.mst import MissingBlock, Source, Tree
from at_protocol.repo.node import Node
from at_protocol.syntax.did import Did


@dataclass(frozen=True, slots=True)
class RecordProof:
    """A verified proof that the commit has ``cid`` under ``path``, or nothing if ``cid`` is None.

    ``record`` holds the record's bytes if the proof includes them. ``nodes`` lead from the root to the path; they prove
    their other entries as well.
    """

    commit: Commit
    path: str
    cid: Cid | None
    record: bytes | None
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class TreePath:
    """The nodes from the root to a path, and the CID of its record, which is None if absent."""

    nodes: tuple[Node, ...]
    cid: Cid | None


def path_proof(tree: Tree, path: str) -> TreePath:
    """Return the proof that a path is present or absent, without commit and record.

    Raises MissingBlock if the source lacks a node. After loading it, the caller starts again.
    """
    nodes = tuple(tree.search(path))
    return TreePath(nodes, tree.get(path))


def write_proof(commit: Cid, way: TreePath, found: Mapping[Cid, bytes]) -> bytes:
    """Return the proof as a CAR whose root is the commit. ``found`` has the blocks of the commit and of the record, if
    any.
    """
    blocks = [(commit, found[commit]), *((node.cid, node.block) for node in way.nodes)]
    if way.cid is not None:
        blocks.append((way.cid, found[way.cid]))
    return b"".join(car.write([commit], blocks))


def write_record_proof(commit: Commit, path: str, source: Source) -> bytes:
    """Do the same as :func:`write_proof` with one source for all blocks. Raises MissingBlock if it lacks one."""
    way = path_proof(Tree(commit.data, source), path)
    found = {commit.cid: commit.block}
    if way.cid is not None:
        record = source(way.cid)
        if record is None:
            raise MissingBlock(way.cid)
        found[way.cid] = record
    return write_proof(commit.cid, way, found)


def verify_record_proof(data: bytes, *, did: Did, key: PublicKey, path: str) -> RecordProof:
    """Read a proof CAR and verify all of its claims.

    Raises Malformed if the commit belongs to another account, its signature is wrong, a node is not canonical, or a
    block on the path is missing. An incomplete proof proves nothing, in particular not that a record is absent.
    """
    file = car.read(data)
    block = file.blocks.get(file.root)
    if block is None:
        raise Malformed("proof", str(file.root), "the commit is missing")
    commit = parse_commit(block, file.root)
    verify_commit(commit, did=did, key=key)
    try:
        way = path_proof(Tree(commit.data, file.blocks.get, {}), path)
    except MissingBlock as missing:
        raise Malformed("proof", str(missing.cid), "a node on the path to the record is missing") from None
    record = file.blocks.get(way.cid) if way.cid is not None else None
    if way.cid is not None and record is None:
        raise Malformed("proof", str(way.cid), "the record's block is missing")
    return RecordProof(commit, path, way.cid, record, way.nodes)
