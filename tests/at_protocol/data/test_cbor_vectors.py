"""Every case of the published CBOR files, through both codecs."""

import datetime as dt
import json

import pytest
from tests.external_dependencies import fixture_path, needs

from at_protocol.data import cbor, cbor_pure
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed, Misuse

CODECS = [pytest.param(cbor, id="fast"), pytest.param(cbor_pure, id="plain")]
DASL = "vectors/dasl-cbor"
RFC = "rfc8949-vectors.json"
DASL_FILES = [
    "cid.json",
    "concat.json",
    "floats.json",
    "indefinite.json",
    "integer_range.json",
    "map_keys.json",
    "short_form.json",
    "simple.json",
    "tags.json",
    "utf8.json",
]
# Python values for the cases that must not be encodable.
UNENCODABLE = {
    "f97e00": float("nan"),
    "f97c00": float("inf"),
    "f9fc00": float("-inf"),
    "c249010000000000000000": 2**64,
    "a10000": {0: 0},
    "c07819323032352d30352d32365431363a31383a31372d30343a3030": dt.datetime(
        2025, 5, 26, 16, 18, 17, tzinfo=dt.timezone(dt.timedelta(hours=-4))
    ),
}


def _load(name):
    path = fixture_path(f"{DASL}/{name}")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


DASL_CASES = [
    pytest.param(name, case, id=f"{name}:{number}") for name in DASL_FILES for number, case in enumerate(_load(name))
]
RFC_CASES = [pytest.param(case, id=f"{number}:{case['hex'][:20]}") for number, case in enumerate(_load(RFC))]


@needs("fixtures")
def test_every_case_of_every_file_is_run():
    assert {path.name for path in fixture_path(DASL).glob("*.json")} == {*DASL_FILES, RFC}
    for name in DASL_FILES:
        assert sum(1 for case in DASL_CASES if case.values[0] == name) == len(_load(name)) > 0
    assert len(RFC_CASES) == 778


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name, case", DASL_CASES)
def test_dasl_vectors(codec, name, case):
    encoded = bytes.fromhex(case["data"])
    if case["type"] == "invalid_out":
        with pytest.raises((Malformed, Misuse)):
            codec.encode(UNENCODABLE[case["data"]])
    elif case["type"] == "invalid_in" or name == "floats.json":
        # Deviation: DASL accepts 64-bit floats (four round trips); the atproto data model has no floats.
        with pytest.raises(Malformed) as raised:
            codec.decode(encoded)
        assert raised.value.kind == "cbor"
    else:
        assert case["type"] == "roundtrip"
        assert codec.encode(codec.decode(encoded)) == encoded


def _refused_here(case):
    """Why a valid item of general CBOR is outside the data model, or None."""
    diagnostic = case["diagnostic"]
    if "canonical" not in case["flags"]:
        return "not the one encoding of its value"
    if "float" in case["flags"] or "NaN" in diagnostic or "Infinity" in diagnostic:
        return "floats"
    if diagnostic.startswith(("undefined", "simple(")):
        return "simple values other than false, true, null"
    if "(" in diagnostic or "bignum" in case.get("features", []):
        return "tags other than 42"
    if "int64" in case.get("features", []):
        return "integers of 64 unsigned bits"
    if diagnostic == "{1: 2, 3: 4}":
        return "map keys that aren't text"
    return None


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("case", RFC_CASES)
def test_rfc_8949(codec, case):
    """Invalid items are refused. Valid ones are read and written back unchanged, except those outside the data model."""
    encoded = bytes.fromhex(case["hex"])
    if "invalid" in case["flags"] or _refused_here(case):
        with pytest.raises(Malformed):
            codec.decode(encoded)
    else:
        assert codec.encode(codec.decode(encoded)) == encoded


@needs("fixtures")
def test_rule_accepts_35_of_85_valid_items():
    """The rule above accepts some items and refuses others: 35 of the 85 valid items are in the data model."""
    valid = [case.values[0] for case in RFC_CASES if "valid" in case.values[0]["flags"]]
    assert (len(valid), sum(1 for case in valid if _refused_here(case) is None)) == (85, 35)


RECORDS = sorted(fixture_path("vectors/indigo/atdata").glob("*.cbor"))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in RECORDS])
def test_real_records(codec, path):
    """Two posts, as their authors' servers stored them, are re-encoded byte for byte."""
    encoded = path.read_bytes()
    record = codec.decode(encoded)
    assert record["$type"] == "app.bsky.feed.post"
    assert codec.encode(record) == encoded
    assert Cid.for_cbor(encoded).names(encoded)


@needs("fixtures")
def test_there_are_two_real_records():
    assert len(RECORDS) == 2
