"""Blob references: the typed form, the legacy form, and values that only look like one."""

import pytest

from at_protocol.data import cbor
from at_protocol.data.blob_ref import UNKNOWN_SIZE, BlobRef, blob_of, find_blobs
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed

RAW = Cid.for_raw(b"picture")
TYPED = {"$type": "blob", "ref": RAW, "mimeType": "image/png", "size": 7}
LEGACY = {"cid": str(RAW), "mimeType": "image/png"}


def test_blob_refs_are_found_at_any_depth_without_a_schema():
    record = {"$type": "com.example.x", "a": [{"b": [TYPED, 1]}, TYPED], "c": LEGACY}
    found = find_blobs(record)
    assert sorted(found, key=lambda blob: blob.is_legacy) == [
        BlobRef(RAW, "image/png", 7),
        BlobRef(RAW, "image/png", 7),
        BlobRef(RAW, "image/png", UNKNOWN_SIZE, is_legacy=True),
    ]


@pytest.mark.parametrize("value", [TYPED, LEGACY])
def test_written_as_it_was(value):
    [blob] = find_blobs(value)
    assert blob.to_value() == value
    assert cbor.encode(blob.to_value()) == cbor.encode(value)


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"ref": Cid.for_cbor(b"record")},
        {"ref": str(RAW)},
        {"ref": None},
        {"mimeType": ""},
        {"mimeType": "image"},
        {"mimeType": "/png"},
        {"mimeType": 1},
        {"size": -1},
        {"size": "10"},
        {"size": True},
        {"size": None},
    ],
)
def test_invalid_blob_reference_is_refused(change):
    with pytest.raises(Malformed) as raised:
        find_blobs({"a": [{**TYPED, **change}]})
    assert raised.value.kind == "blob"


@pytest.mark.parametrize("missing", ["ref", "mimeType", "size"])
def test_every_field_is_required(missing):
    with pytest.raises(Malformed):
        blob_of({name: value for name, value in TYPED.items() if name != missing})


def test_the_empty_blob_is_a_blob():
    assert blob_of({**TYPED, "size": 0}).size == 0


def test_imported_records_may_contain_any_link_and_invalid_blobs():
    foreign = Cid.for_cbor(b"x")
    assert blob_of({**TYPED, "ref": foreign}, strict=False).cid == foreign
    assert find_blobs([{**TYPED, "size": -1}, {**TYPED, "ref": foreign}], strict=False) == [
        BlobRef(foreign, "image/png", 7)
    ]


@pytest.mark.parametrize(
    "value",
    [
        {**LEGACY, "uri": "x"},
        {"cid": "not a cid", "mimeType": "image/png"},
        {"cid": str(RAW), "mimeType": ""},
        {"cid": RAW, "mimeType": "image/png"},
        {"cid": str(RAW), "uri": "at://x.test"},
    ],
)
def test_other_objects_with_a_cid_are_not_blobs(value):
    assert find_blobs([value]) == []
