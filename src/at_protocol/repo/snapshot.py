"""Snapshot: a whole repository from one CAR, with everything verified except the signature.

Source: repository specification, "CAR File Serialization". Only blocks linked from the commit are used. Others could be
old or belong to someone else, and are dropped.
"""

from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.car import Car
from at_protocol.repo.change import parse_path
from at_protocol.repo.commit import Commit, parse_commit
from at_protocol.repo.mst import MissingBlock, Tree
from at_protocol.repo.node import Node
from at_protocol.repo.stored_record import read_stored


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository at one commit: ``entries`` in key order, ``nodes`` and ``records`` by CID. Blocks that are not
    linked are left out.

    ``flaws`` maps a path to the reason why a new write of that record would be rejected. ``odd_paths`` are paths in the
    tree that do not have the form ``collection/rkey``.
    """

    commit: Commit
    entries: dict[str, Cid]
    nodes: dict[Cid, bytes]
    records: dict[Cid, bytes]
    flaws: dict[str, str]
    odd_paths: dict[str, str]


def read_snapshot(file: Car) -> Snapshot:
    """Read a full export.

    Checks the commit's form, the shape of the whole tree, and that every record is present. Non-conforming paths and
    records are reported and not rejected, because their hashes are valid. The caller, who has the key, verifies the
    signature (``at_protocol.repo.commit.verify_commit``).

    Raises Malformed with the first error. An incomplete file (a slice, a proof) is also an error.
    """
    if len(file.roots) != 1:
        raise Malformed("repository", len(file.roots), "a repository file names exactly one root, its commit")
    block = file.blocks.get(file.root)
    if block is None:
        raise Malformed("repository", str(file.root), "the commit that the header names is not in the file")
    commit = parse_commit(block, file.root)
    entries: dict[str, Cid] = {}
    nodes: dict[Cid, bytes] = {}
    records: dict[Cid, bytes] = {}
    flaws: dict[str, str] = {}
    flawed: dict[Cid, str] = {}
    odd_paths: dict[str, str] = {}
    try:
        for item in Tree(commit.data, file.blocks.get).walk():
            if isinstance(item, Node):
                nodes[item.cid] = item.block
            else:
                path, cid = item
                try:
                    parse_path(path)
                except Malformed as wrong:
                    odd_paths[path] = wrong.why
                else:
                    entries[path] = cid
    except MissingBlock as missing:
        raise Malformed("repository", str(missing.cid), "a node of the tree is not in the file") from None
    for path, cid in entries.items():
        record = file.blocks.get(cid)
        if record is None:
            raise Malformed("repository", f"{path} {cid}", "a record is not in the file")
        if cid not in records:
            # The same record can occur under a million paths. It is read once.
            records[cid] = record
            if (flaw := read_stored(cid, record).flaw) is not None:
                flawed[cid] = flaw
        if cid in flawed:
            flaws[path] = flawed[cid]
    return Snapshot(commit, entries, nodes, records, flaws, odd_paths)
