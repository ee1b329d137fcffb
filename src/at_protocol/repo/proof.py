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
from at_protocol.repo.mst import MissingBlock, Tree
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


def write_proof(commit: Cid, tree_path: TreePath, blocks_by_cid: Mapping[Cid, bytes]) -> bytes:
    """Return the proof as a CAR whose root is the commit. ``blocks_by_cid`` has the blocks of the commit and of
    the record, if any.
    """
    blocks = [(commit, blocks_by_cid[commit]), *((node.cid, node.block) for node in tree_path.nodes)]
    if tree_path.cid is not None:
        blocks.append((tree_path.cid, blocks_by_cid[tree_path.cid]))
    return b"".join(car.write([commit], blocks))


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
        tree_path = path_proof(Tree(commit.data, file.blocks.get, {}), path)
    except MissingBlock as missing:
        raise Malformed("proof", str(missing.cid), "a node on the path to the record is missing") from None
    record = file.blocks.get(tree_path.cid) if tree_path.cid is not None else None
    if tree_path.cid is not None and record is None:
        raise Malformed("proof", str(tree_path.cid), "the record's block is missing")
    return RecordProof(commit, path, tree_path.cid, record, tree_path.nodes)
