"""The JSON form: the published cases, and values that are nearly right."""

import base64
import json
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.at_protocol.data.values import values
from tests.external_dependencies import fixture_path, needs

from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.data.model import MAX_CONTAINERS
from at_protocol.failures import Malformed, Misuse

FOLDER = "vectors/interop/data-model"
RAW = "bafkreiccldh766hwcnuxnf2wh6jgzepf2nlu2lvcllt63eww5p6chi4ity"
CBOR_CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"


def _cases(name):
    path = fixture_path(f"{FOLDER}/{name}")
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [pytest.param(case, id=case.get("note", str(number))) for number, case in enumerate(found)]


FIXTURES = _cases("data-model-fixtures.json")
VALID = _cases("data-model-valid.json")
INVALID = _cases("data-model-invalid.json")


@needs("fixtures")
def test_every_case_of_every_file_is_run():
    assert {path.name for path in fixture_path(FOLDER).glob("*.json")} == {
        "data-model-fixtures.json",
        "data-model-valid.json",
        "data-model-invalid.json",
    }
    assert (len(FIXTURES), len(VALID), len(INVALID)) == (3, 5, 12)


@pytest.mark.parametrize("case", FIXTURES)
def test_fixtures_convert_from_json_to_cid_and_back(case):
    """Each case converts from JSON to CBOR to the CID, and back."""
    value = json_form.decode(json.dumps(case["json"]))
    encoded = cbor.encode(value)
    assert encoded == base64.b64decode(case["cbor_base64"] + "=" * (-len(case["cbor_base64"]) % 4))
    assert str(Cid.for_cbor(encoded)) == case["cid"]
    assert json_form.to_json(cbor.decode(encoded)) == case["json"]


@pytest.mark.parametrize("case", VALID)
def test_valid_vectors_read_back(case):
    text = json.dumps(case["json"])
    value = json_form.decode_object(text)
    assert json_form.to_json(value) == case["json"]  # 123.0 == 123 in Python
    assert json_form.from_json(case["json"]) == value
    assert cbor.decode(cbor.encode(value)) == value


@pytest.mark.parametrize("case", INVALID)
def test_invalid_vectors_are_refused(case):
    with pytest.raises(Malformed) as raised:
        json_form.decode_object(json.dumps(case["json"]))
    assert raised.value.kind in {"json", "blob"}


@given(values)
def test_any_value_survives_a_round_trip(value):
    assert json_form.decode(json_form.encode(value)) == value


@pytest.mark.parametrize(
    "text, number",
    [("1.0", 1), ("123.0", 123), ("1e2", 100), ("-0.0", 0), ("0e999999", 0), ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)), ("9.223372036854775807e18", 2**63 - 1)],
)  # fmt: skip
def test_integers_however_written(text, number):
    value = json_form.decode(f'{{"a": {text}}}')
    assert value == {"a": number}
    assert type(value["a"]) is int


@pytest.mark.parametrize(
    "text",
    [
        "1.5", "NaN", "Infinity", "-Infinity", "1e400", "1e-400", "0.1", "9223372036854775808", "-9223372036854775809",
        "9223372036854775808.0", "1.0000000000000000000000001", "1e99999999999999999999", "1" * 10_000, "01", "+1", "1.",
    ],
)  # fmt: skip
def test_other_numbers_are_refused(text):
    with pytest.raises(Malformed):
        json_form.decode(f'{{"a": {text}}}')


@pytest.mark.parametrize("number", [0.5, float("nan"), float("inf"), 2.0**54])
def test_parsed_floats_are_integers_of_53_bits_or_refused(number):
    assert json_form.from_json([5.0]) == [5]
    with pytest.raises(Malformed):
        json_form.from_json([number])


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b'{"a":1,"a":1}', b'{"b":{"a":1,"a":2}}', b'"\\ud800"', b'{"\\udc00":1}', b'"\xff"',
        b"\xff\xfe{\x00}\x00", b"{} {}", b'{"$type":null}', b'{"$type":""}', b'{"a":[{"$type":1}]}', b"undefined",
        b"'a'", b'"\n"', b"[1,]",
    ],
)  # fmt: skip
def test_text_that_is_no_json_of_the_data_model_is_refused(text):
    with pytest.raises(Malformed):
        json_form.decode(text)


def test_a_whole_surrogate_pair_is_one_character():
    assert json_form.decode(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_a_byte_order_mark_is_skipped():
    """RFC 8259 8.1: some programs write one."""
    assert json_form.decode(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


def test_at_most_32_levels_of_nesting_are_accepted():
    assert json_form.decode("[" * 32 + "]" * 32)
    with pytest.raises(Malformed, match="deep"):
        json_form.decode("[" * 33 + "]" * 33)


@pytest.mark.parametrize("open_, close", [("[", "]"), ('{"a":', "}")])
def test_nesting_of_100_000_levels_does_not_crash(open_, close):
    with pytest.raises(Malformed, match=r"deep|more than"):
        json_form.decode(open_ * 100_000 + "1" + close * 100_000)


@pytest.mark.parametrize("end", ['"', "", "\\"])
def test_brackets_in_a_string_are_counted_in_one_pass(end):
    """Each quotation mark in a string without an end was tried as the beginning of another: 64 kB took ten seconds."""
    text = '["' + "[" * (MAX_CONTAINERS + 1) + '\\"' * 16_000 + end
    before = process_time()
    if end == '"':
        assert json_form.decode(text + "]") == [text[2:-1].replace("\\", "")]
    else:
        with pytest.raises(Malformed, match="not JSON"):
            json_form.decode(text)
    assert process_time() - before < 2


@pytest.mark.parametrize(
    "text, content",
    [("", b""), ("AA", b"\0"), ("AA==", b"\0"), ("+/+/", b"\xfb\xff\xbf"), ("AAA=", b"\0\0"), ("AAA", b"\0\0")],
)
def test_bytes_with_and_without_padding(text, content):
    assert json_form.from_json({"$bytes": text}) == content


@pytest.mark.parametrize("text", ["-_-_", "A", "AA=", "AA===", "AAAA=", "A A", "AA\n", "=", "====", "A=A=", "é"])
def test_malformed_bytes_are_refused(text):
    """Bytes in the URL alphabet, with wrong padding or with spaces are refused."""
    with pytest.raises(Malformed):
        json_form.from_json({"$bytes": text})


@pytest.mark.parametrize("text", ["AB", "AAB=", "AB=="])
def test_stray_bits_are_accepted_but_not_written(text):
    """Stray bits in base64 are accepted but never written. Strict base64 forbids them, but a published valid record has
    such bits, so every reader must accept them.
    """
    content = json_form.from_json({"$bytes": text})
    assert content in {b"\0", b"\0\0"}
    assert set(json_form.to_json(content)["$bytes"]) == {"A"}


@pytest.mark.parametrize(
    "document",
    [
        {"$link": CBOR_CID.upper()},
        {"$link": "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR"},
        {"$link": RAW, "x": 1},
        {"$link": None},
        {"$link": {"$link": RAW}},
        {"$link": RAW, "$bytes": ""},
        {"$bytes": "AA", "x": 1},
        {"$bytes": None},
    ],
)
def test_malformed_links_and_bytes_are_refused(document):
    with pytest.raises(Malformed):
        json_form.from_json({"a": [document]})


def test_links_of_both_codecs():
    assert json_form.from_json([{"$link": RAW}, {"$link": CBOR_CID}]) == [Cid.parse(RAW), Cid.parse(CBOR_CID)]


def test_bytes_are_written_without_padding():
    assert json_form.to_json({"a": [b"\0"], "c": Cid.parse(RAW)}) == {"a": [{"$bytes": "AA"}], "c": {"$link": RAW}}


def test_unknown_reserved_keys_stay():
    assert json_form.decode(b'{"$foo":1}') == {"$foo": 1}


def test_types_outside_json_raise_a_programming_error():
    with pytest.raises(Misuse):
        json_form.from_json({"a": (1,)})
    with pytest.raises(Misuse):
        json_form.from_json({1: 1})


@given(st.text() | st.binary() | st.recursive(st.sampled_from(['"a"', "1", "null", "1.5"]), lambda x: x.map("[{}]".format) | x.map('{{"a":{}}}'.format)))  # fmt: skip
def test_garbage_is_malformed_and_nothing_else(text):
    try:
        value = json_form.decode(text)
    except Malformed:
        return
    assert json_form.decode(json_form.encode(value)) == value
