"""Reading labels: what is signed, and what is not a label."""

from typing import Any

import pytest

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor
from at_protocol.failures import Malformed
from at_protocol.sync.frames import Frame
from at_protocol.sync.labels import is_signed_by, labels_in, read_label, signed_bytes, subject_of, unsigned_label
from at_protocol.syntax.did import Did

KEY = K256PrivateKey.from_random(b"l" * 32)
SOURCE = Did("did:plc:llllllllllllllllllllllll")
URI = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/community.lexicon.calendar.event/tea"
CID = "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"


def signed(**more: Any) -> dict[str, Any]:
    label = {**unsigned_label(src=SOURCE, uri=URI, val="spam", cts="2026-03-01T10:00:00Z"), **more}
    return {**label, "sig": KEY.sign(signed_bytes(label))}


def test_every_field_is_signed_including_unknown_ones():
    label = signed(cid=CID, exp="2026-03-02T10:00:00Z", neg=True, added="later")
    read = read_label(label)
    assert (read.source, read.subject, read.value, read.cid, read.is_negated) == (SOURCE, URI, "spam", CID, True)
    assert read.expires_at - read.created_at == 86_400_000_000
    assert read.signed == cbor.encode({name: value for name, value in label.items() if name != "sig"})
    assert is_signed_by(read, KEY.public)
    assert not is_signed_by(read, K256PrivateKey.from_random(b"o" * 32).public)
    for name in label.keys() - {"sig"}:
        changed = {key: value for key, value in label.items() if key != name}
        if name in {"src", "uri", "val", "cts"}:
            with pytest.raises(Malformed):
                read_label(changed)
        else:
            assert not is_signed_by(read_label(changed), KEY.public), name


@pytest.mark.parametrize(
    "wrong",
    [
        {"val": ""},
        {"val": "x" * 129},
        {"val": "a\x00b"},
        {"val": 1},
        {"ver": 2},
        {"neg": "yes"},
        {"neg": []},
        {"src": "did:nobody"},
        {"uri": "https://example.org"},
        {"uri": "at://ana.test/community.lexicon.calendar.event/tea"},
        {"uri": "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"},
        {"cid": "bafy"},
        {"cts": "yesterday"},
        {"exp": 5},
    ],
)
def test_invalid_labels_are_refused(wrong):
    with pytest.raises(Malformed):
        read_label(signed(**wrong))


def test_labels_that_are_not_a_map_are_refused():
    unsigned = {name: value for name, value in signed().items() if name != "sig"}
    for value in (None, "spam", [], unsigned):
        with pytest.raises(Malformed):
            read_label(value)
    assert subject_of("spam") == subject_of({"uri": 5}) == ""


@pytest.mark.parametrize("payload", [{}, {"seq": 0, "labels": []}, {"seq": True, "labels": []}, {"seq": 1}, {"seq": 1, "labels": [{}] * 1_001}])  # fmt: skip
def test_frames_without_number_or_list(payload):
    with pytest.raises(Malformed):
        labels_in(Frame("#labels", payload))
