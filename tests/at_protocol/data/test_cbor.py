"""The CBOR codecs: limits, order, garbage, and agreement of the fast codec with the plain one."""

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.at_protocol.data.values import values

from at_protocol.data import cbor, cbor_pure
from at_protocol.data.cid import Cid
from at_protocol.data.model import MAX_ENTRIES
from at_protocol.failures import Malformed, Misuse

both = pytest.mark.parametrize("codec", [pytest.param(cbor, id="fast"), pytest.param(cbor_pure, id="plain")])


def _outcome(codec, encoded):
    try:
        return codec.decode(encoded)
    except Malformed as error:
        return error.why


def _typed(value):
    """The value with its types, so that True is not equal to 1."""
    if isinstance(value, list):
        return [_typed(entry) for entry in value]
    if isinstance(value, dict):
        return [(key, _typed(entry)) for key, entry in value.items()]
    return (type(value), value)


def test_plain_codec_is_used_without_the_compiled_one(monkeypatch):
    """Without the compiled codec the plain one is used, as on a machine that has neither a wheel nor a compiler."""
    monkeypatch.setattr(cbor, "_compiled_decode", None)
    monkeypatch.setattr(cbor, "_compiled_encode", None)
    assert cbor.decode(cbor.encode({"b": [1], "a": "x"})) == {"a": "x", "b": [1]}
    with pytest.raises(Malformed):
        cbor.decode(b"\xff")


@both
@given(value=values)
def test_round_trip(codec, value):
    encoded = codec.encode(value)
    again = codec.decode(encoded)
    assert codec.encode(again) == encoded
    assert again == value


@given(values)
def test_both_codecs_write_the_same_bytes_and_read_the_same_value(value):
    encoded = cbor_pure.encode(value)
    assert cbor.encode(value) == encoded
    assert _typed(cbor.decode(encoded)) == _typed(cbor_pure.decode(encoded))


@given(st.binary(max_size=60))
@example(b"\x82\x60\xa1\x60\x00")
@example(b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff")
@example(b"\xa1\x60\x00")
def test_both_codecs_return_the_same_result_for_garbage(encoded):
    """Both codecs return the same value or the same error for garbage, and never another exception."""
    assert _typed(_outcome(cbor, encoded)) == _typed(_outcome(cbor_pure, encoded))


@given(values, st.data())
def test_both_codecs_agree_on_one_changed_byte(value, data):
    encoded = bytearray(cbor_pure.encode(value))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] = data.draw(st.integers(0, 255))
    assert _typed(_outcome(cbor, bytes(encoded))) == _typed(_outcome(cbor_pure, bytes(encoded)))


@given(values, st.data())
def test_a_part_of_an_item_is_malformed(value, data):
    encoded = cbor_pure.encode(value)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for codec in (cbor, cbor_pure):
        with pytest.raises(Malformed):
            codec.decode(encoded[:cut])


@both
@given(first=values, second=values)
def test_two_items_in_a_row(codec, first, second):
    """Of two items in a row, as in frames of an event stream, the first gives the offset of the second. Together they
    are not one item.
    """
    encoded = codec.encode(first) + codec.encode(second)
    value, offset = codec.decode_first(encoded)
    assert value == first
    assert codec.decode_first(encoded, offset) == (second, len(encoded))
    with pytest.raises(Malformed, match="follow"):
        codec.decode(encoded)


@both
@pytest.mark.parametrize("offset", [0, 1, 5])
def test_nothing_left_to_read(codec, offset):
    with pytest.raises(Malformed, match="ends"):
        codec.decode_first(b"\x00"[:offset], offset)


@both
@pytest.mark.parametrize(
    "number", [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, -1, -24, -25, -(2**32), -(2**63)]
)
def test_integers_of_64_signed_bits(codec, number):
    assert codec.decode(codec.encode(number)) == number
    assert codec.decode(codec.encode({"n": [number]})) == {"n": [number]}


@both
@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 2**200])
def test_larger_integers_are_refused(codec, number):
    with pytest.raises(Malformed, match="64"):
        codec.encode({"n": number})


@both
@pytest.mark.parametrize("encoded", ["1b8000000000000000", "3b8000000000000000", "a1616e1b8000000000000000"])
def test_larger_integers_are_refused_when_read(codec, encoded):
    with pytest.raises(Malformed, match="64"):
        codec.decode(bytes.fromhex(encoded))


@both
def test_keys_are_ordered_by_bytes_and_length_first(codec):
    """Keys are ordered by length in bytes first, then by bytes: ``é`` has two bytes and follows ``z``. Insertion order
    has no influence.
    """
    keys = list(codec.decode(codec.encode(dict.fromkeys(["aa", "é", "b", "z", "a", "\U0001f600", "zzz"], 0))))
    assert keys == ["a", "b", "z", "aa", "é", "zzz", "\U0001f600"]


@both
@pytest.mark.parametrize("kind", ["list", "map"])
def test_at_most_32_levels_of_nesting_are_accepted(codec, kind):
    def nested(depth):
        value = 0
        for _ in range(depth):
            value = [value] if kind == "list" else {"k": value}
        return value

    encoded = codec.encode(nested(32))
    assert codec.decode(encoded) == nested(32)
    with pytest.raises(Malformed, match="deep"):
        codec.encode(nested(33))
    with pytest.raises(Malformed, match="deep"):
        codec.decode((b"\x81" if kind == "list" else b"\xa1\x61k") + encoded)


@both
def test_empty_containers_count_as_levels(codec):
    with pytest.raises(Malformed, match="deep"):
        codec.decode(b"\x81" * 32 + b"\x80")


@both
@pytest.mark.parametrize("head", ["81", "a16161", "9a000fffff", "99ffff", "98ff", "97"])
def test_nesting_of_100_000_levels_is_refused_without_a_crash(codec, head):
    """Nesting of 100,000 levels is refused without a crash. Lists that announce many items but contain one list each
    use neither the stack nor gigabytes.
    """
    encoded = bytes.fromhex(head) * 100_000
    tracemalloc.start()
    try:
        with pytest.raises(Malformed):
            codec.decode(encoded)
        assert tracemalloc.get_traced_memory()[1] < 150_000_000
    finally:
        tracemalloc.stop()


@both
@pytest.mark.parametrize(
    "head", ["9b7fffffffffffffff", "bb7fffffffffffffff", "5b7fffffffffffffff", "7b7fffffffffffffff"]
)
def test_a_length_of_exabytes_in_nine_bytes(codec, head):
    with pytest.raises(Malformed):
        codec.decode(bytes.fromhex(head))


@both
def test_entries_of_one_container(codec):
    full = [None] * MAX_ENTRIES
    assert codec.decode(codec.encode(full)) == full
    with pytest.raises(Malformed, match="entries"):
        codec.encode([*full, None])
    with pytest.raises(Malformed, match="entries"):
        codec.decode(b"\x9a" + (MAX_ENTRIES + 1).to_bytes(4, "big") + b"\xf6" * (MAX_ENTRIES + 1))


@both
def test_map_key_size_is_limited(codec):
    """A map key has up to 8,192 bytes of UTF-8. The empty text is a valid key, and a duplicate of it is refused."""
    for key in ("", "k" * 8192, "é" * 4096):
        assert codec.decode(codec.encode({key: 1})) == {key: 1}
    for key in ("k" * 8193, "é" * 4097):
        with pytest.raises(Malformed, match="key"):
            codec.encode({key: 1})
    with pytest.raises(Malformed, match="key"):
        codec.decode(b"\xa1\x79\x20\x01" + b"k" * 8193 + b"\x00")
    assert codec.encode({"a": 1, "": 2}) == bytes.fromhex("a26002616101")
    for wrong in ("a260006000", "a26161006000", "a1604060"):
        with pytest.raises(Malformed):
            codec.decode(bytes.fromhex(wrong))


@both
@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, ["ok", "\ud83d"]])
def test_half_a_surrogate_pair_is_not_text(codec, value):
    with pytest.raises(Malformed, match="surrogate"):
        codec.encode(value)


@both
@pytest.mark.parametrize("encoded", ["63eda080", "a163eda08000", "62c080", "64f4908080"])
def test_text_is_strict_utf_8(codec, encoded):
    """Text must be strict UTF-8: surrogates, overlong forms and values beyond Unicode are refused."""
    with pytest.raises(Malformed, match="UTF-8"):
        codec.decode(bytes.fromhex(encoded))


@both
@pytest.mark.parametrize("value", [1.0, [0.5], {"a": float("nan")}, [[-0.0]]])
def test_floats_are_refused(codec, value):
    with pytest.raises(Malformed, match="float"):
        codec.encode(value)


class _Text(str):
    __slots__ = ()


@both
@pytest.mark.parametrize(
    "value",
    [(1,), {1}, bytearray(b"x"), object(), {1: 2}, {b"k" * 9000: 1}, _Text("x"), {_Text("k"): 1}, [memoryview(b"")]],
)
def test_foreign_types_raise_a_programming_error(codec, value):
    with pytest.raises(Misuse):
        codec.encode(value)


@both
def test_value_that_contains_itself_is_refused(codec):
    value = []
    value.append(value)
    with pytest.raises(Malformed, match="deep"):
        codec.encode(value)


@both
def test_bool_is_not_a_number(codec):
    assert codec.encode([True, 1, False, 0, None]) == bytes.fromhex("85f501f400f6")
    assert [type(entry) for entry in codec.decode(bytes.fromhex("85f501f400f6"))] == [bool, int, bool, int, type(None)]


@both
def test_null_differs_from_absent(codec):
    assert codec.decode(codec.encode({"a": None})) == {"a": None} != {}


@both
def test_an_unusual_record_comes_back_byte_for_byte(codec):
    record = {"$foo": 1, "$type": "com.example.x", "createdAt": "1985-04-12T23:20:50.1235678912345Z", "gone": None}
    encoded = codec.encode(record)
    assert codec.encode(codec.decode(encoded)) == encoded


@both
def test_text_may_contain_bytes_of_other_heads(codec):
    """Text may contain bytes that look like other item heads: semicolons, escapes, backticks, empty text, other
    scripts.
    """
    value = {
        "a": ";é\x1bé`",
        "b": "",
        "c": "水" * 100,
        "d": ["`", ";\x80"],
        "e": bytes(range(256)),
        "f": Cid.for_raw(b""),
    }
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ([[]] * 99, 100),
        ([{"a": {}}] * 50, 101),
        ([b"\x80\xa0" * 200, "漢字" * 200, 2**40, -(2**40), True, None, Cid.for_raw(b"a")], 1),
        ({"a" * 300: [1] * 300}, 2),
    ],
)
def test_containers_are_counted_without_decoding(value, count):
    encoded = cbor.encode(value)
    assert cbor.has_more_containers(encoded, count - 1)
    assert not cbor.has_more_containers(encoded, count)


@given(st.binary(max_size=200))
def test_counting_containers_of_anything_ends(data):
    assert cbor.has_more_containers(data, 5) in {True, False}
