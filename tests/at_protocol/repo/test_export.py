"""Exports: complete, in streaming order, with constant memory."""

import tracemalloc

import pytest

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.build import build
from at_protocol.repo.commit import Commit, sign_commit
from at_protocol.repo.export import CHUNK_BYTES, export
from at_protocol.repo.mst import EMPTY_ROOT, MissingBlock
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import parse_tid


def _commit(data: Cid) -> Commit:
    key = K256PrivateKey(bytes(31) + b"\x07")
    return sign_commit(key, did=parse_did("did:web:a.example"), rev=parse_tid("3migo7fijwi2k"), data=data)


def _repository(count: int) -> tuple[Commit, dict[Cid, bytes], dict[Cid, bytes]]:
    records = {f"com.example.thing/{number:06}": cbor.encode({"n": number, "t": "x" * 200}) for number in range(count)}
    built = build((path, Cid.for_cbor(record)) for path, record in records.items())
    return _commit(built.root), built.blocks, {Cid.for_cbor(record): record for record in records.values()}


def test_an_empty_repository():
    """The export of an empty repository contains its one node."""
    commit = _commit(EMPTY_ROOT)
    written = car.read(b"".join(export(commit, {}.get, {}.get)))
    assert list(written.blocks) == [commit.cid, EMPTY_ROOT]


def test_export_is_in_pre_order_with_records_after_their_entries():
    """An export is in pre-order: every node precedes what is below it, and records are in key order."""
    commit, nodes, records = _repository(200)
    file = car.read(b"".join(export(commit, nodes.get, records.get)))
    order = list(file.blocks)
    assert order[:2] == [commit.cid, commit.data]
    assert [cid for cid in order if cid in records] == list(read_snapshot(file).entries.values())


def test_chunks_are_of_useful_size():
    commit, nodes, records = _repository(2000)
    sizes = [len(chunk) for chunk in export(commit, nodes.get, records.get)]
    assert all(CHUNK_BYTES <= size < CHUNK_BYTES + 2000 for size in sizes[:-1])


def test_a_missing_record_ends_the_export():
    commit, nodes, _ = _repository(10)
    with pytest.raises(MissingBlock):
        list(export(commit, nodes.get, {}.get))


def test_memory_does_not_grow_with_the_repository():
    """A repository with four times the records takes no more memory to export."""
    peaks = []
    for count in (5_000, 20_000):
        commit, nodes, records = _repository(count)
        tracemalloc.start()
        for _ in export(commit, nodes.get, records.get):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2
