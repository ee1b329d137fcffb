"""JSON that two parsers would read differently is refused."""

import contextlib
from enum import StrEnum
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.errors import InvalidInput
from groundwork.http.json_bodies import MAX_CONTAINERS, parse_json, shape_json

SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


class Picnic(msgspec.Struct):
    name: str
    seats: int = 0


class Dish(StrEnum):
    SOUP = "soup"
    CAKE = "cake"


class Buffet(msgspec.Struct):
    dishes: list[Dish]
    kinds: tuple[Literal["hot", "cold"], ...] = ()


@given(VALUES)
def test_reads_what_was_written(value):
    assert parse_json(msgspec.json.encode(value)) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1,"a":2}',
        b'{"x":{"a":1,"a":1}}',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"[" * 200 + b"]" * 200,
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b"1" * 5000,
        b"[1,]",
        b"{} {}",
        b"'a'",
    ],
)
def test_ambiguous_json_is_refused_with_a_message(body):
    with pytest.raises(InvalidInput) as refused:
        parse_json(body)
    assert refused.value.why.endswith(".")


def test_depth_is_counted_outside_strings_and_not_by_width():
    """Depth counts neither brackets in strings nor siblings."""
    assert parse_json(b'["' + b"[" * 500 + b'"]') == ["[" * 500]
    assert len(parse_json(b"[" + b"[]," * 500 + b"[]]")) == 501
    assert parse_json(b"[" * 128 + b"]" * 128)


@pytest.mark.parametrize("container", [b"[]", b"{}", b'{"a":0}'])
def test_number_of_lists_and_objects_is_limited(container):
    """Two bytes of JSON can take sixty in memory, so a body is refused before it is parsed. Text does not count."""
    assert len(parse_json(b"[" + b",".join([container] * 499) + b"]", max_containers=500)) == 499
    with pytest.raises(InvalidInput, match="more than 500 lists and objects"):
        parse_json(b"[" + b",".join([container] * 500) + b"]", max_containers=500)
    with pytest.raises(InvalidInput, match="more than"):
        parse_json(b"[" + b",".join([container] * MAX_CONTAINERS) + b"]")
    assert parse_json(b'["' + b"[{" * 500 + b'\\"[["]', max_containers=1)


def test_body_of_closing_brackets_only_is_refused():
    with pytest.raises(InvalidInput, match="not JSON"):
        parse_json(b"[" * 100 + b"]" * 200 + b"[" * 100)
    with pytest.raises(InvalidInput, match="not JSON"):
        parse_json(b"]" * 300 + b"[" * 300)


@given(st.binary(max_size=40))
def test_garbage_raises_the_one_error(body):
    with contextlib.suppress(InvalidInput):
        parse_json(body)


@pytest.mark.parametrize(
    ("value", "field", "why"),
    [
        ({"dishes": ["soup", "salad"]}, "dishes[1]", "Choose one of: soup, cake."),
        ({"dishes": [], "kinds": ["warm"]}, "kinds[0]", "Choose one of: cold, hot."),
    ],
)
def test_wrong_value_in_a_list_names_those_that_are_allowed(value, field, why):
    with pytest.raises(InvalidInput) as refused:
        shape_json(value, Buffet)
    assert (refused.value.field, refused.value.why) == (field, why)


def test_shapes_name_the_field_that_is_wrong():
    assert shape_json({"name": "x", "seats": 3}, Picnic) == Picnic("x", 3)
    with pytest.raises(InvalidInput) as refused:
        shape_json({"name": "x", "seats": "3"}, Picnic)
    assert (refused.value.field, refused.value.why) == ("seats", "Expected int, got str.")
    with pytest.raises(InvalidInput, match="name"):
        shape_json({}, Picnic)
