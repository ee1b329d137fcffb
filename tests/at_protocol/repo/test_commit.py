"""Commits: what is signed, read and refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.crypto import k256, p256
from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.commit import is_signed_by, parse_commit, sign_commit, verify_commit
from at_protocol.repo.mst import EMPTY_ROOT
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import parse_tid

DID = parse_did("did:plc:53iucmf5ldftgqyf2ac7hmhd")
REV = parse_tid("3migo7fijwi2k")
KEYS: list[k256.K256PrivateKey | p256.P256PrivateKey] = [
    k256.K256PrivateKey(bytes(31) + b"\x07"),
    p256.P256PrivateKey(bytes(31) + b"\x07"),
]
COMMIT = sign_commit(KEYS[0], did=DID, rev=REV, data=EMPTY_ROOT)
FIELDS: dict[str, Any] = cbor.decode(COMMIT.block)  # type: ignore[assignment]


@pytest.mark.parametrize("key", KEYS, ids=["k256", "p256"])
def test_signed_commit_reads_back_and_verifies(key):
    commit = sign_commit(key, did=DID, rev=REV, data=EMPTY_ROOT)
    assert parse_commit(commit.block) == commit
    verify_commit(commit, did=DID, key=key.public)


def test_field_order():
    """Without the signature the fields are did, rev, data, prev, version; with it, sig is the third."""
    assert list(cbor.decode(COMMIT.unsigned)) == ["did", "rev", "data", "prev", "version"]
    assert list(FIELDS) == ["did", "rev", "sig", "data", "prev", "version"]
    assert FIELDS["prev"] is None
    assert FIELDS["version"] == 3


def test_another_key_and_another_account_are_different_errors():
    with pytest.raises(Malformed, match="signature"):
        verify_commit(COMMIT, did=DID, key=KEYS[1].public)
    with pytest.raises(Malformed, match="another account"):
        verify_commit(COMMIT, did=parse_did("did:web:example.com"), key=KEYS[0].public)


@pytest.mark.parametrize("key", KEYS, ids=["k256", "p256"])
def test_high_s_is_refused(key):
    commit = sign_commit(key, did=DID, rev=REV, data=EMPTY_ROOT)
    order = k256.ORDER if isinstance(key, k256.K256PrivateKey) else p256.ORDER
    high = commit.signature[:32] + (order - int.from_bytes(commit.signature[32:], "big")).to_bytes(32, "big")
    forged = parse_commit(cbor.encode({**cbor.decode(commit.block), "sig": high}))
    assert not is_signed_by(forged, key.public)


@pytest.mark.parametrize("length", [0, 63, 65, 71], ids=str)
def test_signatures_of_other_lengths_are_refused(length):
    """A signature of another length is refused, including DER with about 71 bytes."""
    forged = parse_commit(cbor.encode(FIELDS | {"sig": b"\x30" * length}))
    assert not is_signed_by(forged, KEYS[0].public)


def test_a_rotated_key_needs_a_new_commit():
    """After a key rotation the same tree must be signed anew: the new commit verifies with the new key, the old one no
    longer does.
    """
    renewed = sign_commit(KEYS[1], did=DID, rev=parse_tid("3migo7fijwi2l"), data=EMPTY_ROOT)
    assert renewed.data == COMMIT.data
    assert is_signed_by(renewed, KEYS[1].public)
    assert not is_signed_by(COMMIT, KEYS[1].public)


def _without(name: str) -> dict[str, Any]:
    return {field: value for field, value in FIELDS.items() if field != name}


REFUSED: dict[str, Any] = {
    **{f"{name} missing": _without(name) for name in FIELDS},
    "version 1": FIELDS | {"version": 1},
    "version 4": FIELDS | {"version": 4},
    "version true": FIELDS | {"version": True},
    "version as text": FIELDS | {"version": "3"},
    "version as a list": FIELDS | {"version": [3]},
    "unknown field": FIELDS | {"extra": 1},
    "did is no DID": FIELDS | {"did": "alice"},
    "did is bytes": FIELDS | {"did": b"did:plc:x"},
    "rev is no TID": FIELDS | {"rev": "yesterday"},
    "rev is null": FIELDS | {"rev": None},
    "data is text": FIELDS | {"data": str(EMPTY_ROOT)},
    "data is a blob": FIELDS | {"data": Cid.for_raw(b"")},
    "prev is text": FIELDS | {"prev": ""},
    "sig is text": FIELDS | {"sig": "x"},
    "a list": [1],
    "huge": FIELDS | {"sig": bytes(20_000)},
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_commits_are_refused(name):
    with pytest.raises(Malformed):
        parse_commit(cbor.encode(REFUSED[name]))


@pytest.mark.parametrize("change", [{}, {"prev": EMPTY_ROOT}, {"prev": None}], ids=["bare", "prev", "null"])
def test_version_2_is_read(change):
    """Version 2 is accepted. It has no rev, and prev may be absent."""
    fields = {name: value for name, value in FIELDS.items() if name not in {"rev", "prev"}} | {"version": 2} | change
    commit = parse_commit(cbor.encode(fields))
    assert (commit.version, commit.rev, commit.prev) == (2, None, change.get("prev"))


def test_version_2_may_have_a_rev():
    commit = parse_commit(cbor.encode(FIELDS | {"version": 2}))
    assert (commit.version, commit.rev) == (2, REV)


@given(st.binary(max_size=200))
def test_garbage_is_malformed(block):
    with pytest.raises(Malformed):
        parse_commit(block)
