"""Repositories as other people's libraries see them: ``libipld`` reads the CAR, without any of our code."""

import hashlib
from dataclasses import dataclass
from typing import Any

import libipld


@dataclass(frozen=True)
class Repository:
    """The content of a CAR. ``records``: CIDs by path."""

    commit: str
    did: str
    rev: str
    data: str
    records: dict[str, str]


def read_repository(car: bytes) -> Repository:
    """Read a repository, comparing every hash and visiting every node. A missing block raises KeyError."""
    header, blocks = libipld.decode_car(car)
    held = {libipld.encode_cid(cid) for cid in blocks}
    for cid, block in blocks.items():
        assert cid_of(block) == libipld.encode_cid(cid), "a block does not match its CID"
    (root,) = header["roots"]
    commit = blocks[root]
    records: dict[str, str] = {}
    _walk(blocks, commit["data"], records)
    assert set(records.values()) <= held, "a record is missing"
    return Repository(
        libipld.encode_cid(root), commit["did"], commit["rev"], libipld.encode_cid(commit["data"]), records
    )


def _walk(blocks: dict[bytes, Any], cid: bytes, found: dict[str, str]) -> None:
    node = blocks[cid]
    if node["l"] is not None:
        _walk(blocks, node["l"], found)
    key = b""
    for entry in node["e"]:
        key = key[: entry["p"]] + entry["k"]
        found[key.decode()] = libipld.encode_cid(entry["v"])
        if entry["t"] is not None:
            _walk(blocks, entry["t"], found)


def cid_of(record: Any) -> str:
    """The CID that this record must have, computed with libipld's encoder and plain SHA-256."""
    digest = hashlib.sha256(libipld.encode_dag_cbor(record)).digest()
    return str(libipld.encode_cid(b"\x01\x71\x12\x20" + digest))
