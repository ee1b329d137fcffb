"""Which PLC operation may follow which, one rule at a time, on logs made by the test."""

import hashlib
import json
from base64 import b32encode
from dataclasses import replace

import pytest
from tests.plc_logs import append_to_log, validate_log

from at_protocol.crypto import k256, p256
from at_protocol.crypto.did_key import format_did_key
from at_protocol.data.cid import Cid
from at_protocol.failures import Misuse
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_log import RECOVERY_WINDOW_US, PlcLogEntry, accept
from at_protocol.identity.plc_operation import (
    OperationRefused,
    PlcRefusal,
    Tombstone,
    account_operation,
    cid_of,
    did_of,
    sign,
)
from at_protocol.syntax.handle import Handle

HIGH = k256.K256PrivateKey.from_random(b"h" * 40)
MIDDLE = p256.P256PrivateKey.from_random(b"m" * 40)
LOW = k256.K256PrivateKey.from_random(b"l" * 40)
STRANGER = k256.K256PrivateKey.from_random(b"s" * 40)
SIGNING = k256.K256PrivateKey.from_random(b"a" * 40)
START = 1_700_000_000_000_000
MILLISECOND = 1000
KEYS = (HIGH.public, MIDDLE.public, LOW.public)


def _operation(prev=None, handle="alice.test", keys=KEYS):
    return account_operation(
        rotation_keys=keys, signing_key=SIGNING.public, handle=Handle(handle), pds="https://pds.test", prev=prev
    )


GENESIS = sign(_operation(), LOW)
DID = did_of(GENESIS)


class _Directory:
    """A log to which ``accept`` admits operations."""

    def __init__(self) -> None:
        self.log = []
        self.add(GENESIS, START)

    def add(self, operation, now):
        acceptance = accept(self.log, DID, operation, now)
        self.log = append_to_log(self.log, acceptance)
        return acceptance

    def refusal(self, operation, now):
        before = list(self.log)
        with pytest.raises(OperationRefused) as raised:
            self.add(operation, now)
        assert self.log == before
        return raised.value.kind


@pytest.fixture
def directory():
    return _Directory()


def test_did_is_the_hash_of_the_first_operation():
    """The DID is the hash of the first operation. It is computed here by hand from the JSON: deterministic CBOR,
    SHA-256, base32, 24 characters.
    """

    def head(major, size):
        return bytes((major << 5 | size,)) if size < 24 else bytes((major << 5 | 24, size))

    def encoded(value):
        if value is None:
            return b"\xf6"
        if isinstance(value, str):
            return head(3, len(value)) + value.encode()
        if isinstance(value, list):
            return head(4, len(value)) + b"".join(map(encoded, value))
        keys = sorted(value, key=lambda key: (len(key), key))
        return head(5, len(value)) + b"".join(encoded(key) + encoded(value[key]) for key in keys)

    document = json.loads(json.dumps(plc_operation.to_json(GENESIS)))
    digest = hashlib.sha256(encoded(document)).digest()
    assert "did:plc:" + b32encode(digest).decode().lower()[:24] == DID
    assert bytes(cid_of(GENESIS))[4:] == digest
    plc_operation.check_limits(GENESIS)


def test_updates_by_any_rotation_key(directory):
    prev = cid_of(GENESIS)
    for step, key in enumerate((LOW, MIDDLE, HIGH), 1):
        operation = sign(_operation(prev, f"step{step}.test"), key)
        assert directory.add(operation, START + step).nullified == ()
        prev = cid_of(operation)
    assert [entry.operation for entry in validate_log(DID, directory.log)][-1].also_known_as == ("at://step3.test",)


@pytest.mark.parametrize("key", [STRANGER, SIGNING])
def test_other_keys_cannot_sign(directory, key):
    """A signature by any other key is refused, even by the account's own signing key."""
    assert directory.refusal(sign(_operation(cid_of(GENESIS)), key), START + 1) is PlcRefusal.INVALID_SIGNATURE


def test_previous_operation_decides_who_may_sign(directory):
    """An operation is signed by a rotation key of the previous one. A key that it adds cannot sign it, but one that it
    removes can.
    """
    only_stranger = _operation(cid_of(GENESIS), keys=(STRANGER.public,))
    assert directory.refusal(sign(only_stranger, STRANGER), START + 1) is PlcRefusal.INVALID_SIGNATURE
    directory.add(sign(only_stranger, LOW), START + 1)
    head = directory.log[-1].cid
    assert directory.refusal(sign(_operation(head), LOW), START + 2) is PlcRefusal.INVALID_SIGNATURE
    directory.add(sign(_operation(head), STRANGER), START + 2)


def test_prev_must_be_in_the_log(directory):
    for prev in (None, Cid.for_cbor(b"x")):
        assert directory.refusal(sign(_operation(prev), HIGH), START + 1) is PlcRefusal.MISORDERED_OPERATION


@pytest.mark.parametrize(
    "first, refusal",
    [
        (sign(_operation(), STRANGER), PlcRefusal.INVALID_SIGNATURE),
        (sign(_operation(handle="bob.test"), LOW), PlcRefusal.GENESIS_HASH),
        (sign(_operation(cid_of(GENESIS)), LOW), PlcRefusal.IMPROPER_OPERATION),
        (sign(Tombstone(str(cid_of(GENESIS))), LOW), PlcRefusal.IMPROPER_OPERATION),
        (_operation(), PlcRefusal.INVALID_SIGNATURE),
    ],
)
def test_invalid_first_operation_is_refused(first, refusal):
    with pytest.raises(OperationRefused) as raised:
        accept([], DID, first, START)
    assert raised.value.kind is refusal


def _dispute(directory, by=LOW, last=None):
    """Two operations after the first one, signed by this key."""
    taken = sign(_operation(cid_of(GENESIS), "taken.test"), by)
    directory.add(taken, START + MILLISECOND)
    further = last or sign(_operation(cid_of(taken), "further.test"), by)
    directory.add(further, START + 2 * MILLISECOND)
    return taken, further


def test_higher_ranked_key_can_nullify_later_operations(directory):
    taken, further = _dispute(directory)
    acceptance = directory.add(sign(_operation(cid_of(GENESIS), "back.test"), HIGH), START + 3 * MILLISECOND)
    assert acceptance.is_recovery
    assert acceptance.nullified == (cid_of(taken), cid_of(further))
    assert [entry.nullified for entry in directory.log] == [False, True, True, False]
    assert validate_log(DID, directory.log)[-1].operation.also_known_as == ("at://back.test",)


@pytest.mark.parametrize("late, allowed", [(0, True), (MILLISECOND, False)])
def test_dispute_is_possible_for_72_hours_inclusive(directory, late, allowed):
    """A dispute is possible for 72 hours inclusive, counted from the first disputed operation to the millisecond."""
    _dispute(directory)
    recovery = sign(_operation(cid_of(GENESIS), "back.test"), HIGH)
    now = START + MILLISECOND + RECOVERY_WINDOW_US + late
    if allowed:
        assert directory.add(recovery, now).is_recovery
    else:
        assert directory.refusal(recovery, now) is PlcRefusal.LATE_RECOVERY


@pytest.mark.parametrize("signer, by", [(LOW, LOW), (LOW, MIDDLE), (MIDDLE, MIDDLE), (MIDDLE, HIGH), (HIGH, HIGH)])
def test_equal_and_lower_keys_recover_nothing(directory, signer, by):
    _dispute(directory, by=by)
    recovery = sign(_operation(cid_of(GENESIS), "back.test"), signer)
    assert directory.refusal(recovery, START + 3 * MILLISECOND) is PlcRefusal.INVALID_SIGNATURE


def test_recovery_over_a_tombstone(directory):
    taken = sign(_operation(cid_of(GENESIS), "taken.test"), LOW)
    _dispute(directory, last=sign(Tombstone(str(cid_of(taken))), LOW))
    directory.add(sign(_operation(cid_of(GENESIS), "back.test"), MIDDLE), START + 3 * MILLISECOND)
    assert validate_log(DID, directory.log)[-1].operation.also_known_as == ("at://back.test",)


def test_nothing_follows_a_tombstone(directory):
    directory.add(sign(Tombstone(str(cid_of(GENESIS))), LOW), START + 1)
    head = directory.log[-1].cid
    assert directory.refusal(sign(_operation(head), HIGH), START + 2) is PlcRefusal.MISORDERED_OPERATION


def test_nullified_operations_are_never_followed(directory):
    taken, further = _dispute(directory)
    directory.add(sign(_operation(cid_of(GENESIS), "back.test"), HIGH), START + 3 * MILLISECOND)
    for lost in (taken, further):
        operation = sign(_operation(cid_of(lost)), HIGH)
        assert directory.refusal(operation, START + 4 * MILLISECOND) is PlcRefusal.MISORDERED_OPERATION


def test_a_recovery_can_be_recovered_from_by_a_still_higher_key(directory):
    _dispute(directory)
    directory.add(sign(_operation(cid_of(GENESIS), "middle.test"), MIDDLE), START + 3 * MILLISECOND)
    directory.add(sign(_operation(cid_of(GENESIS), "high.test"), HIGH), START + 4 * MILLISECOND)
    assert [entry.nullified for entry in directory.log] == [False, True, True, True, False]


def test_recovery_must_be_later_than_the_operations_it_nullifies(directory):
    _dispute(directory)
    recovery = sign(_operation(cid_of(GENESIS), "back.test"), HIGH)
    assert directory.refusal(recovery, START + 2 * MILLISECOND) is PlcRefusal.MISORDERED_OPERATION


def test_a_log_with_a_false_cid(directory):
    wrong = [replace(directory.log[0], cid=Cid.for_cbor(b"x"))]
    with pytest.raises(OperationRefused):
        validate_log(DID, wrong)
    with pytest.raises(OperationRefused):
        validate_log(DID, [])


def test_our_own_operations_have_one_to_five_different_rotation_keys():
    for keys in (
        (),
        (LOW.public, LOW.public),
        tuple(k256.K256PrivateKey.from_random(bytes([n]) * 40).public for n in range(6)),
    ):
        with pytest.raises(Misuse):
            _operation(keys=keys)
    with pytest.raises(Misuse):
        cid_of(_operation())


def test_rotation_key_of_an_unknown_curve_is_ignored(directory):
    """A rotation key of an unknown curve is ignored."""
    odd = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
    operation = replace(_operation(cid_of(GENESIS)), rotation_keys=(odd, format_did_key(HIGH.public)))
    directory.add(sign(operation, LOW), START + 1)
    directory.add(sign(_operation(directory.log[-1].cid), HIGH), START + 2)
    assert isinstance(directory.log[-1], PlcLogEntry)
