"""Query strings and their typed values."""

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from at_protocol.failures import Malformed, Misuse
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.linter import parse_document
from at_protocol.xrpc.parameters import decode_parameters, encode_parameters

NAME = "com.example.search"
PROPERTIES = {
    "text": {"type": "string", "maxLength": 10},
    "flag": {"type": "boolean"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
    "uris": {"type": "array", "items": {"type": "string"}, "maxLength": 3},
    "counts": {"type": "array", "items": {"type": "integer"}},
    "who": {"type": "string", "format": "did"},
}


def catalog(*required: str) -> Catalog:
    known = Catalog()
    params = {"type": "params", "required": list(required), "properties": PROPERTIES}
    document = {"lexicon": 1, "id": NAME, "defs": {"main": {"type": "query", "parameters": params}}}
    known.add(parse_document(json.dumps(document)))
    return known


def decode(query: str, *required: str) -> dict[str, object]:
    return {
        name: value for name, value in decode_parameters(catalog(*required), NAME, query).items() if name != "limit"
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("text=a+b%20c", {"text": "a b c"}),
        ("text=%C3%A9", {"text": "é"}),
        ("text=0", {"text": "0"}),
        ("flag=true", {"flag": True}),
        ("flag=false", {"flag": False}),
        ("uris=b&uris=a&uris=b", {"uris": ["b", "a", "b"]}),
        ("uris=one", {"uris": ["one"]}),
        ("uris[]=one", {}),
        ("counts=1&counts=-2", {"counts": [1, -2]}),
        ("text=&flag=&uris=", {}),
        ("unknown=1&unknown=2", {}),
        ("__proto__=1", {}),
        ("text=a=b", {"text": "a=b"}),
        ("who=did%3Aweb%3Aexample.com", {"who": "did:web:example.com"}),
    ],
)
def test_query_strings_are_decoded(query, expected):
    assert decode(query) == expected


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("limit=0", "params/limit: too small"),
        ("limit=101", "params/limit: too large"),
        ("limit=abc", "params/limit: expected a decimal integer"),
        ("limit=1.5", "params/limit"),
        ("limit=1e3", "params/limit"),
        ("limit=0x10", "params/limit"),
        ("limit=+5", "params/limit"),
        ("limit=٣", "params/limit"),
        ("limit=" + "9" * 5000, "params/limit"),
        ("limit=1&limit=2", "params/limit: given more than once"),
        ("text=a&text=a", "params/text: given more than once"),
        ("flag=yes", "params/flag: expected true or false"),
        ("flag=True", "params/flag"),
        ("flag=1", "params/flag"),
        ("text=12345678901", "params/text: too long"),
        ("uris=a&uris=b&uris=c&uris=d", "params/uris: too long"),
        ("counts=1&counts=x", "params/counts"),
        ("who=nobody", "params/who: not a valid did"),
        ("text=%FF", "not UTF-8"),
        ("&".join(["x=1"] * 1001), "more than 1000"),
    ],
)
def test_invalid_query_strings_are_refused(query, why):
    with pytest.raises(Malformed) as refused:
        decode(query)
    assert why in refused.value.why


@pytest.mark.parametrize("query", ["", "text=", "flag=true"])
def test_missing_required_is_named(query):
    """A required parameter that is absent or empty is named in the error."""
    with pytest.raises(Malformed) as refused:
        decode(query, "text")
    assert refused.value.why == "params/text: required, but missing"


def test_defaults_are_filled_in():
    assert decode_parameters(catalog(), NAME, "")["limit"] == 50


def test_method_without_parameters_ignores_all():
    assert decode_parameters(Catalog(), "com.atproto.server.describeServer", "a=1") == {}


def test_unknown_method_is_malformed():
    with pytest.raises(Malformed):
        decode_parameters(Catalog(), "com.example.unknown", "")


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=abc", "limit=1&limit=2", "reverse=yes"])
def test_list_records_refuses_senseless_parameters(query):
    """The built-in Lexicon of listRecords refuses parameters that make no sense."""
    with pytest.raises(Malformed):
        decode_parameters(Catalog(), "com.atproto.repo.listRecords", f"repo=a.example.com&collection=a.b.c&{query}")


@settings(max_examples=50)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "text": st.text(min_size=1, max_size=2),
            "flag": st.booleans(),
            "limit": st.integers(1, 100),
            "uris": st.lists(st.text(min_size=1), min_size=1, max_size=3),
            "counts": st.lists(st.integers(-(2**53) + 1, 2**53 - 1), min_size=1),
        },
    )
)
def test_round_trip(parameters):
    """What a client encodes, a server decodes to the same values."""
    query = urlencode(encode_parameters(parameters))
    assert decode_parameters(catalog(), NAME, query) == {"limit": 50, **parameters}


def test_encoding_omits_none():
    assert encode_parameters({"a": None, "b": True, "c": ["x", 1]}) == [("b", "true"), ("c", "x"), ("c", "1")]


def test_encoding_a_value_of_another_kind_is_misuse():
    with pytest.raises(Misuse):
        encode_parameters({"a": 1.5})  # type: ignore[dict-item]
