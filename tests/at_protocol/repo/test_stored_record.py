"""Records are decoded as far as possible, with limits."""

import pytest
from tests.legacy_records import LEGACY_RECORDS, UNREADABLE, cid_of

from at_protocol.data import cbor, cbor_lenient, json_form
from at_protocol.data.cid import Cid
from at_protocol.data.model import MAX_CONTAINERS
from at_protocol.failures import Malformed
from at_protocol.repo.stored_record import MAX_READ_BYTES, read_stored


@pytest.mark.parametrize("name", LEGACY_RECORDS)
def test_odd_records_are_read_and_their_flaw_is_named(name: str) -> None:
    block, expected = LEGACY_RECORDS[name]
    record = read_stored(cid_of(block), block)
    assert record.fields is not None
    assert json_form.to_json(record.fields) == expected
    assert record.flaw
    with pytest.raises(Malformed):
        cbor.decode(block)


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_record_is_reported_without_raising(name: str) -> None:
    record = read_stored(cid_of(UNREADABLE[name]), UNREADABLE[name])
    assert record.fields is None
    assert record.flaw
    assert record.blobs() == ()


def test_ordinary_records_have_no_flaw() -> None:
    value = {"$type": "org.example.note", "": [1, None, True, b"x", {"a": Cid.for_raw(b"y")}]}
    block = cbor.encode(value)
    record = read_stored(Cid.for_cbor(block), block)
    assert (record.fields, record.flaw) == (value, None)


def test_both_decoders_agree_where_nothing_is_odd() -> None:
    value = {"a": [-1, 2**63 - 1, -(2**63), "é", b"", False, {"": {"b": Cid.for_cbor(b"z")}}]}
    assert cbor_lenient.decode(cbor.encode(value)) == value


def test_blobs_in_odd_records_are_found() -> None:
    blob = {"$type": "blob", "ref": Cid.for_raw(b"picture"), "mimeType": "image/png", "size": 7}
    inner = cbor.encode({"picture": blob})
    block = b"\xa2aa\xfb" + bytes(8) + b"ab" + inner
    assert [one.cid for one in read_stored(cid_of(block), block).blobs()] == [Cid.for_raw(b"picture")]


def test_reading_is_bounded() -> None:
    """Decoding is limited by bytes, values and depth; a large announced size costs nothing."""
    many = b"\xa1aa\x9a" + (60_000).to_bytes(4, "big") + b"\xfb" + bytes(8) + b"\x00" * 59_999
    large = b"\xa1aa\x5a" + (MAX_READ_BYTES).to_bytes(4, "big") + bytes(MAX_READ_BYTES)
    for block in (many, large, b"\xa1aa\x9b" + b"\xff" * 8, b"\x81" * 100_000):
        assert read_stored(cid_of(block), block).fields is None


def test_record_of_very_many_lists_is_not_decoded() -> None:
    block = cbor.encode({"a": [[]] * MAX_CONTAINERS})
    record = read_stored(Cid.for_cbor(block), block)
    assert record.fields is None
    assert "lists and maps" in str(record.flaw)
