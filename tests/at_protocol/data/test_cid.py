"""CIDs: one binary form and one text form."""

import pickle
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.at_protocol.data.values import cids

from at_protocol.data.cid import CODEC_CBOR, CODEC_RAW, Cid
from at_protocol.failures import Malformed

EMPTY_RAW = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"


def test_empty_content_and_empty_tree_have_the_known_cids():
    """The CIDs of empty content and of the empty tree are the known ones."""
    assert str(Cid.for_raw(b"")) == EMPTY_RAW
    empty_tree = bytes.fromhex("a2616580616cf6")
    assert str(Cid.for_cbor(empty_tree)) == "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm"


def test_cid_names_the_codec_and_digest_of_its_bytes():
    cid = Cid.for_raw(b"x")
    assert (cid.codec, Cid.for_cbor(b"x").codec) == (CODEC_RAW, CODEC_CBOR)
    assert cid.digest == sha256(b"x").digest()
    assert cid.names(b"x")
    assert not cid.names(b"y")


@given(cids)
def test_round_trip(cid):
    assert len(str(cid)) == 59
    assert Cid.parse(str(cid)) == cid == Cid.from_bytes(bytes(cid))
    assert pickle.loads(pickle.dumps(cid)) == cid
    assert repr(cid) == f"Cid({cid})"


@given(cids, cids)
def test_equal_hashed_and_ordered_by_bytes(one, other):
    assert (one == other) == (bytes(one) == bytes(other))
    assert (one < other) == (bytes(one) < bytes(other))
    assert (one >= other) == (bytes(one) >= bytes(other))
    assert len({one, other}) == len({bytes(one), bytes(other)})
    assert one != bytes(one)


@pytest.mark.parametrize(
    "text",
    [
        EMPTY_RAW.upper(),
        "B" + EMPTY_RAW[1:].upper(),
        EMPTY_RAW[:-1],
        EMPTY_RAW + "=",
        EMPTY_RAW + "\n",
        " " + EMPTY_RAW,
        EMPTY_RAW[:-1] + "v",
        "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR",
        "zdj7WWeQ43G6JJvLWQWZpyHuAMq6uYWRjkBXFad11vE2LHhQ7",
        "bafybeie5gq4jxvzmsym6hjlwxej4rwdoxt7wadqvmmwbqi7r27fclha2va",
        "",
        ".",
    ],
)
def test_other_texts_are_refused(text):
    """Upper case, padding, stray bits in the last character, version 0, other bases and other codecs are refused."""
    with pytest.raises(Malformed):
        Cid.parse(text)


GOOD = bytes(Cid.for_raw(b""))


@pytest.mark.parametrize(
    "raw, why",
    [
        (b"", "version"),
        (b"\x00" + GOOD[1:], "version"),
        (b"\x12\x20" + GOOD[4:], "version"),
        (b"\x01\x70" + GOOD[2:], "codec"),
        (GOOD[:2] + b"\x11\x14" + GOOD[4:24], "SHA-256"),
        (GOOD[:3] + b"\x1f" + GOOD[4:35], "SHA-256"),
        (GOOD[:-1], "35 bytes"),
        (GOOD + b"\x00", "37 bytes"),
    ],
)
def test_other_bytes_are_refused(raw, why):
    with pytest.raises(Malformed, match=why):
        Cid.from_bytes(raw)


@given(st.text() | st.from_regex(r"b[a-z2-7]{58}", fullmatch=True))
def test_garbage_is_malformed_and_nothing_else(text):
    try:
        assert str(Cid.parse(text)) == text
    except Malformed:
        return


@given(st.binary(max_size=50))
def test_garbage_bytes_are_malformed_and_nothing_else(raw):
    with pytest.raises(Malformed):
        Cid.from_bytes(raw)
