"""Proofs of records, from one source of blocks."""

from at_protocol.repo.commit import Commit
from at_protocol.repo.mst import MissingBlock, Source, Tree
from at_protocol.repo.proof import path_proof, write_proof


def write_record_proof(commit: Commit, path: str, source: Source) -> bytes:
    """Do the same as ``write_proof`` with one source for all blocks. Raises MissingBlock if it lacks one."""
    tree_path = path_proof(Tree(commit.data, source), path)
    blocks = {commit.cid: commit.block}
    if tree_path.cid is not None:
        record = source(tree_path.cid)
        if record is None:
            raise MissingBlock(tree_path.cid)
        blocks[tree_path.cid] = record
    return write_proof(commit.cid, tree_path, blocks)
