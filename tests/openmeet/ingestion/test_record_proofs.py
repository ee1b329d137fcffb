"""Proofs of records become messages by one rule, for reading and for publishing."""

from dataclasses import replace

import pytest

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data.cid import Cid
from at_protocol.repo.commit import sign_commit
from at_protocol.repo.proof import RecordProof
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import parse_tid
from openmeet.network.records.message import RecordOperation
from openmeet.network.repositories.read import BadRecordProof, message_of_proof

DID = parse_did("did:plc:" + "a" * 24)
REV = parse_tid("3lbxhmwcfrk2a")
PATH = "community.lexicon.calendar.event/3lbxhmwcfrk2b"
URI = parse_at_uri(f"at://{DID}/{PATH}")
RECORD = b"\xa0"


def proof_of(cid: Cid | None, record: bytes | None) -> RecordProof:
    key = K256PrivateKey.from_random(bytes(range(32)))
    return RecordProof(sign_commit(key, did=DID, rev=REV, data=Cid.for_cbor(RECORD)), PATH, cid, record)


def test_a_record_and_its_absence_have_the_rev_of_their_commit():
    cid = Cid.for_cbor(RECORD)
    there, gone = message_of_proof(URI, proof_of(cid, RECORD)), message_of_proof(URI, proof_of(None, None))
    assert (there.operation, there.rev, there.cid, there.body) == (RecordOperation.UPDATE, REV, str(cid), RECORD)
    assert (gone.operation, gone.rev, gone.cid, gone.body) == (RecordOperation.DELETE, REV, None, None)


def test_a_proof_without_a_rev_is_refused():
    """It is neither ignored nor taken for the record's absence, because nothing says what it is newer than."""
    proof = proof_of(Cid.for_cbor(RECORD), RECORD)
    with pytest.raises(BadRecordProof):
        message_of_proof(URI, replace(proof, commit=replace(proof.commit, rev=None)))
