"""Proofs that a record is present or absent: written and checked."""

import pytest
from tests.at_protocol.repo.trees import Repository
from tests.record_proofs import write_record_proof

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo import car
from at_protocol.repo.commit import sign_commit
from at_protocol.repo.mst import MissingBlock
from at_protocol.repo.proof import verify_record_proof
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import parse_tid

DID = parse_did("did:plc:53iucmf5ldftgqyf2ac7hmhd")
KEY = K256PrivateKey(bytes(31) + b"\x07")
RECORDS = [b"\xa1ax" + bytes([number]) for number in range(20)]
CONTENT = {f"com.example.thing/{number:03}": Cid.for_cbor(RECORDS[number % 20]) for number in range(10, 300)}
REPOSITORY = Repository(CONTENT)
BLOCKS = REPOSITORY.blocks | {Cid.for_cbor(record): record for record in RECORDS}
COMMIT = sign_commit(KEY, did=DID, rev=parse_tid("3migo7fijwi2k"), data=REPOSITORY.root)

ABSENT = [
    "com.example.thing/009",
    "com.example.thing/300",
    "com.example.thing/0100",
    "com.example.thing/1995",
    "a.b.c/1",
    "zz.zz.z/1",
]


def _proof(path: str) -> bytes:
    return write_record_proof(COMMIT, path, BLOCKS.get)


def _verify(data: bytes, path: str):
    return verify_record_proof(data, did=DID, key=KEY.public, path=path)


@pytest.mark.parametrize("path", sorted(CONTENT)[::29])
def test_presence_of_a_record_is_proven(path):
    proven = _verify(_proof(path), path)
    assert (proven.cid, proven.record) == (CONTENT[path], BLOCKS[CONTENT[path]])
    assert proven.commit == COMMIT


@pytest.mark.parametrize("path", ABSENT)
def test_absence_of_a_record_is_proven(path):
    """Absence is proven before the first key, after the last, and between two keys."""
    proven = _verify(_proof(path), path)
    assert (proven.cid, proven.record) == (None, None)


@pytest.mark.parametrize("path", [*sorted(CONTENT)[::29], *ABSENT])
def test_a_proof_lacking_any_block_proves_nothing(path):
    file = car.read(_proof(path))
    for left_out in file.blocks:
        rest = [(cid, block) for cid, block in file.blocks.items() if cid != left_out]
        with pytest.raises(Malformed, match="missing"):
            _verify(b"".join(car.write(file.roots, rest)), path)


def test_a_proof_is_small():
    """A proof in a repository of 290 records has ten blocks."""
    assert len(car.read(_proof("com.example.thing/155")).blocks) <= 10


def test_proof_for_another_path_proves_nothing():
    """A proof for one path does not prove another path."""
    with pytest.raises(Malformed, match="missing"):
        _verify(_proof("com.example.thing/010"), "com.example.thing/299")


def test_another_key_and_another_account():
    path = "com.example.thing/155"
    with pytest.raises(Malformed, match="signature"):
        verify_record_proof(_proof(path), did=DID, key=K256PrivateKey(bytes(31) + b"\x08").public, path=path)
    with pytest.raises(Malformed, match="another account"):
        verify_record_proof(_proof(path), did=parse_did("did:web:a.example"), key=KEY.public, path=path)


def test_missing_block_is_named():
    path = "com.example.thing/155"
    for cid in car.read(_proof(path)).blocks.keys() - {COMMIT.cid}:
        with pytest.raises(MissingBlock) as missing:
            write_record_proof(COMMIT, path, {other: BLOCKS[other] for other in BLOCKS if other != cid}.get)
        assert missing.value.cid == cid
