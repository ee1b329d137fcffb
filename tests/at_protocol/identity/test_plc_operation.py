"""The format and size of operations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.crypto import k256
from at_protocol.crypto.did_key import format_did_key
from at_protocol.identity.plc_operation import (
    OperationRefused,
    PlcRefusal,
    check_limits,
    parse_operation,
    sign,
    to_json,
    unsigned_bytes,
)

KEY = k256.K256PrivateKey.from_random(b"k" * 40)
KEYS = [format_did_key(k256.K256PrivateKey.from_random(bytes([n]) * 40).public) for n in range(11)]
REGULAR = {
    "type": "plc_operation",
    "rotationKeys": KEYS[:2],
    "verificationMethods": {"atproto": KEYS[0]},
    "alsoKnownAs": ["at://alice.test"],
    "services": {"atproto_pds": {"type": "AtprotoPersonalDataServer", "endpoint": "https://pds.test"}},
    "prev": None,
    "sig": "A" * 86,
}
TOMBSTONE = {"type": "plc_tombstone", "prev": "bafy", "sig": "A" * 86}
LEGACY = {
    "type": "create",
    "signingKey": KEYS[0],
    "recoveryKey": KEYS[1],
    "handle": "alice.test",
    "service": "pds.test",
    "prev": None,
    "sig": "A" * 86,
}
SERVICE = {"type": "T", "endpoint": "https://x.test"}


@pytest.mark.parametrize("document", [REGULAR, TOMBSTONE, LEGACY])
def test_round_trip(document):
    operation = parse_operation(document)
    assert to_json(operation) == document
    assert unsigned_bytes(operation) not in {b"", unsigned_bytes(parse_operation({**TOMBSTONE, "prev": "x"}))}
    resigned = sign(operation, KEY)
    assert len(resigned.sig) == 86
    assert unsigned_bytes(resigned) == unsigned_bytes(operation)


@pytest.mark.parametrize("document", [REGULAR, TOMBSTONE, LEGACY])
def test_fields_must_match_exactly(document):
    for changed in ({**document, "extra": 1}, *({k: v for k, v in document.items() if k != name} for name in document)):
        with pytest.raises(OperationRefused) as raised:
            parse_operation(changed)
        assert raised.value.kind is PlcRefusal.IMPROPER_OPERATION


@pytest.mark.parametrize("document", [REGULAR, TOMBSTONE, LEGACY])
@pytest.mark.parametrize(
    "wrong", [1, True, ["x", 1], {"x": 1}, {"x": {"type": "T"}}, {"x": {**SERVICE, "more": 1}}, {1: 2}]
)
def test_types_of_fields(document, wrong):
    for name in document:
        with pytest.raises(OperationRefused):
            parse_operation({**document, name: wrong})


def test_only_a_first_operation_has_no_prev():
    with pytest.raises(OperationRefused):
        parse_operation({**TOMBSTONE, "prev": None})
    with pytest.raises(OperationRefused):
        parse_operation({**LEGACY, "prev": "bafy"})


@pytest.mark.parametrize("document", [REGULAR, TOMBSTONE, {**REGULAR, "rotationKeys": KEYS[:10]}])
def test_within_the_limits(document):
    check_limits(parse_operation(document))


@pytest.mark.parametrize(
    "change, refusal",
    [
        ({"rotationKeys": []}, PlcRefusal.IMPROPER_OPERATION),
        ({"rotationKeys": [KEYS[0], KEYS[0]]}, PlcRefusal.IMPROPER_OPERATION),
        ({"rotationKeys": KEYS[:11]}, PlcRefusal.IMPROPER_OPERATION),
        ({"rotationKeys": ["did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"]}, PlcRefusal.UNSUPPORTED_KEY),
        ({"rotationKeys": ["did:web:x.test"]}, PlcRefusal.UNSUPPORTED_KEY),
        ({"alsoKnownAs": ["at://x.test", "at://x.test"]}, PlcRefusal.IMPROPER_OPERATION),
        ({"alsoKnownAs": ["at://" + "x" * 254]}, PlcRefusal.IMPROPER_OPERATION),
        ({"alsoKnownAs": [f"at://{n}.test" for n in range(11)]}, PlcRefusal.IMPROPER_OPERATION),
        ({"services": {f"s{n}": SERVICE for n in range(11)}}, PlcRefusal.IMPROPER_OPERATION),
        ({"services": {"s" * 33: SERVICE}}, PlcRefusal.IMPROPER_OPERATION),
        ({"services": {"s": {**SERVICE, "type": "t" * 257}}}, PlcRefusal.IMPROPER_OPERATION),
        ({"services": {"s": {**SERVICE, "endpoint": "e" * 513}}}, PlcRefusal.IMPROPER_OPERATION),
        ({"verificationMethods": {f"v{n}": KEYS[0] for n in range(11)}}, PlcRefusal.IMPROPER_OPERATION),
        ({"verificationMethods": {"v" * 33: KEYS[0]}}, PlcRefusal.IMPROPER_OPERATION),
        ({"verificationMethods": {"v": "did:key:z" + "1" * 248}}, PlcRefusal.IMPROPER_OPERATION),
        ({"verificationMethods": {"v": "z123"}}, PlcRefusal.UNSUPPORTED_KEY),
        ({"verificationMethods": {"v": "did:key:z0"}}, PlcRefusal.UNSUPPORTED_KEY),
        ({"sig": "A" * 4000}, PlcRefusal.IMPROPER_OPERATION),
        ({"alsoKnownAs": ["\ud800"]}, PlcRefusal.IMPROPER_OPERATION),
        ({"services": {"": SERVICE}}, PlcRefusal.IMPROPER_OPERATION),
        ({"verificationMethods": {"": KEYS[0]}}, PlcRefusal.IMPROPER_OPERATION),
    ],
)
def test_operation_beyond_the_limits_is_refused(change, refusal):
    with pytest.raises(OperationRefused) as raised:
        check_limits(parse_operation({**REGULAR, **change}))
    assert raised.value.kind is refusal


def test_keys_of_other_curves_may_be_verification_methods():
    """A key of another curve may be a verification method; other networks publish their keys this way."""
    odd = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
    check_limits(parse_operation({**REGULAR, "verificationMethods": {"other": odd}}))


def test_the_legacy_form_is_only_read():
    with pytest.raises(OperationRefused, match="no longer accepted"):
        check_limits(parse_operation(LEGACY))


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(documents | st.tuples(st.sampled_from([REGULAR, TOMBSTONE, LEGACY]), st.sampled_from(sorted(REGULAR)), documents).map(lambda t: {**t[0], t[1]: t[2]}))  # fmt: skip
def test_garbage_is_refused_and_nothing_else(document):
    try:
        check_limits(parse_operation(document))
    except OperationRefused:
        return
