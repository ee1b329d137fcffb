"""A whole repository as one file holds it, every claim in the file checked but the signature's key.

Source: repository specification, "CAR File Serialization".
Only what the commit links to is taken: other blocks may be old, or somebody else's, and are left behind.
"""

from dataclasses import dataclass

from at_protocol.data import cbor
from at_protocol.data.cid import CODEC_CBOR, Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.repo.car import Car
from at_protocol.repo.change import parse_path
from at_protocol.repo.commit import Commit, parse_commit
from at_protocol.repo.mst import MissingBlock, Tree
from at_protocol.repo.node import Node

# "Parsers: at least 1 MiB" (data validation guide); a commit message carries at most 1,000,000 bytes of a record.
MAX_RECORD_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository at one commit: ``entries`` in key order, ``nodes`` and ``records`` by address, nothing unlinked."""

    commit: Commit
    entries: dict[str, Cid]
    nodes: dict[Cid, bytes]
    records: dict[Cid, bytes]


def read_snapshot(file: Car) -> Snapshot:
    """Read a full export.

    Checks the commit's form, the whole tree's shape, every path's syntax, that every record is there and is a map. The
    signature is left to the caller, who knows the key (:func:`at_protocol.repo.commit.verify_commit`).

    Raises Malformed with the first thing that is wrong; an incomplete file (a slice, a proof) is wrong too.
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
    try:
        for item in Tree(commit.data, file.blocks.get).walk():
            if isinstance(item, Node):
                nodes[item.cid] = item.block
            else:
                path, cid = item
                parse_path(path)
                entries[path] = cid
    except MissingBlock as missing:
        raise Malformed("repository", str(missing.cid), "a node of the tree is not in the file") from None
    for path, cid in entries.items():
        record = file.blocks.get(cid)
        if record is None:
            raise Malformed("repository", f"{path} {cid}", "a record is not in the file")
        if cid not in records:
            decode_record(cid, record)
            records[cid] = record
    return Snapshot(commit, entries, nodes, records)


def decode_record(cid: Cid, block: bytes) -> dict[str, Value]:
    """A record's fields. Raises Malformed when it is too large, not DAG-CBOR, or no map."""
    if len(block) > MAX_RECORD_BYTES:
        raise Malformed("record", str(cid), f"a record of {len(block)} bytes; {MAX_RECORD_BYTES} are allowed")
    if cid.codec != CODEC_CBOR:
        raise Malformed("record", str(cid), "a record's address must have the dag-cbor codec")
    fields = cbor.decode(block)
    if not isinstance(fields, dict):
        raise Malformed("record", str(cid), "a record is a map")
    return fields
