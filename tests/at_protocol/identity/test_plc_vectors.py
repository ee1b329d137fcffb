"""The published audit logs of did:plc, complete, and each of them with a modification."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.external_dependencies import fixture_path, needs
from tests.plc_logs import validate_log

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.identity import plc_log, plc_operation
from at_protocol.identity.plc_log import PlcLogEntry
from at_protocol.identity.plc_operation import LegacyCreate, OperationRefused, PlcRefusal, Tombstone, parse_operation
from at_protocol.syntax.datetime import parse_datetime
from at_protocol.syntax.did import parse_did

FOLDER = "vectors/did-plc/audit_log"
REFUSED = {
    "log_invalid_nullification_reused_key.json": PlcRefusal.INVALID_SIGNATURE,
    "log_invalid_nullification_too_slow.json": PlcRefusal.LATE_RECOVERY,
    "log_invalid_sig_b64_newline.json": PlcRefusal.INVALID_SIGNATURE,
    "log_invalid_sig_b64_padding_bits.json": PlcRefusal.INVALID_SIGNATURE,
    "log_invalid_sig_b64_padding_chars.json": PlcRefusal.INVALID_SIGNATURE,
    "log_invalid_sig_der.json": PlcRefusal.INVALID_SIGNATURE,
    "log_invalid_sig_k256_high_s.json": PlcRefusal.INVALID_SIGNATURE,
    "log_invalid_sig_p256_high_s.json": PlcRefusal.INVALID_SIGNATURE,
    "log_invalid_update_nullified.json": PlcRefusal.MISORDERED_OPERATION,
    "log_invalid_update_tombstoned.json": PlcRefusal.MISORDERED_OPERATION,
}
VALID = [
    "log_bnewbold_robocracy.json",
    "log_bskyapp.json",
    "log_duplicate_rotation_keys.json",
    "log_empty_rotation_keys.json",
    "log_legacy_dholms.json",
    "log_nullification.json",
    "log_nullification_at_exactly_72h.json",
    "log_nullification_nontrivial.json",
    "log_nullified_tombstone.json",
    "log_tombstone.json",
]
valid_logs = pytest.mark.parametrize("name", [pytest.param(name, marks=needs("fixtures")) for name in VALID])


def _load(kind, name):
    return json.loads(fixture_path(f"{FOLDER}/{kind}/{name}").read_text(encoding="utf-8"))


def _entries(audit):
    return [
        PlcLogEntry(
            parse_operation(told["operation"]),
            Cid.parse(told["cid"]),
            parse_datetime(told["createdAt"]),
            told["nullified"],
        )
        for told in audit
    ]


@needs("fixtures")
def test_every_file_is_run():
    for kind, names in (("valid", VALID), ("invalid", REFUSED)):
        assert {path.name for path in fixture_path(f"{FOLDER}/{kind}").iterdir()} == set(names)
        assert len(names) == 10


@valid_logs
def test_valid_log(name):
    """A valid log is accepted step by step, with the same CIDs and the same nullified operations."""
    audit = _load("valid", name)
    chain = validate_log(parse_did(audit[0]["did"]), _entries(audit))
    assert [str(entry.cid) for entry in chain] == [told["cid"] for told in audit if not told["nullified"]]


@valid_logs
def test_operations_round_trip(name):
    for told in _load("valid", name):
        assert plc_operation.to_json(parse_operation(told["operation"])) == told["operation"]


@needs("fixtures")
@pytest.mark.parametrize("name", REFUSED)
def test_invalid_log_is_refused_with_its_reason(name):
    audit = _load("invalid", name)
    with pytest.raises(OperationRefused) as raised:
        validate_log(parse_did(audit[0]["did"]), _entries(audit))
    assert raised.value.kind is REFUSED[name]


@valid_logs
def test_nullified_flags_are_compared(name):
    audit = _load("valid", name)
    for told in audit:
        told["nullified"] = not told["nullified"]
    with pytest.raises(OperationRefused):
        validate_log(parse_did(audit[0]["did"]), _entries(audit))


@valid_logs
@settings(max_examples=25)
@given(data=st.data())
def test_one_changed_character_is_refused(name, data):
    """One changed character anywhere in an operation is refused, and no other exception is raised. Format, signature,
    hash or order no longer fit.
    """
    audit = _load("valid", name)
    step = data.draw(st.integers(0, len(audit) - 1))
    text = json.dumps(audit[step]["operation"])
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from('aZ0"{}[]:,\\u '))
    changed = text[:place] + letter + text[place + 1 :]
    try:
        operation = json.loads(changed)
    except ValueError:
        return
    if operation == audit[step]["operation"]:
        return
    audit[step]["operation"] = operation
    with pytest.raises(Malformed):
        validate_log(parse_did(audit[0]["did"]), _entries(audit))


@valid_logs
def test_another_identity_cannot_claim_the_log(name):
    audit = _load("valid", name)
    with pytest.raises(OperationRefused) as raised:
        validate_log(parse_did("did:plc:" + "a" * 24), _entries(audit))
    assert raised.value.kind is PlcRefusal.GENESIS_HASH


@needs("fixtures")
def test_legacy_operation_is_converted_to_the_current_form():
    """A legacy operation converts to the current form: recovery key first, prefixes for handle and service. CID, DID
    and signature remain those of the legacy form.
    """
    audit = _load("valid", "log_legacy_dholms.json")
    legacy = parse_operation(audit[0]["operation"])
    assert isinstance(legacy, LegacyCreate)
    today = plc_operation.normalised(legacy)
    assert today.rotation_keys == (legacy.recovery_key, legacy.signing_key)
    assert today.verification_methods == {"atproto": legacy.signing_key}
    assert today.also_known_as == (f"at://{legacy.handle}",)
    assert today.services["atproto_pds"].endpoint.startswith("https://")
    assert plc_operation.did_of(legacy) == audit[0]["did"]
    assert str(plc_operation.cid_of(legacy)) == audit[0]["cid"]


@needs("fixtures")
def test_state_after_a_log_is_that_of_its_last_operation():
    """The state after a log is that of its last operation, and none after a tombstone."""
    audit = _load("valid", "log_bskyapp.json")
    state = plc_log.current(_entries(audit))
    assert state is not None
    document = plc_log.document_of(parse_did(audit[0]["did"]), state)
    assert document.handle == audit[-1]["operation"]["alsoKnownAs"][0].removeprefix("at://")
    assert document.signing_key is not None
    assert document.pds == audit[-1]["operation"]["services"]["atproto_pds"]["endpoint"]
    ended = _entries(_load("valid", "log_tombstone.json"))
    assert isinstance(ended[-1].operation, Tombstone)
    assert plc_log.current(ended) is None
    assert plc_log.current([]) is None
