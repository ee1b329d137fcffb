"""AT URIs: parts, text form, normal form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import AtUri, normal_uri, parse_at_uri
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey

DID = Did("did:plc:44ybard66vv44zksje25o7dz")


@pytest.mark.parametrize(
    "text, uri",
    [
        (f"at://{DID}", AtUri(DID)),
        (f"at://{DID}/com.example.thing", AtUri(DID, Nsid("com.example.thing"))),
        (f"at://{DID}/com.example.thing/self", AtUri(DID, Nsid("com.example.thing"), RecordKey("self"))),
    ],
)
def test_parts_and_text(text, uri):
    assert parse_at_uri(text) == uri
    assert str(uri) == text


def test_only_the_handle_is_lower_cased():
    assert str(parse_at_uri("at://Alice.Test/COM.Example.fooBar/Key")) == "at://alice.test/COM.Example.fooBar/Key"


def test_normal_form_is_used_for_comparison():
    uri = parse_at_uri("at://Alice.Test/COM.Example.fooBar/Key")
    assert str(normal_uri(uri)) == "at://alice.test/com.example.fooBar/Key"
    assert normal_uri(AtUri(DID)) == AtUri(DID)


@pytest.mark.parametrize("end", ["/", "?x=1", "#/text", "#", "/self/more", "/%30", "//self"])
def test_invalid_ends_of_uris_are_refused(end):
    with pytest.raises(Malformed) as raised:
        parse_at_uri("at://alice.test/com.example.thing" + end)
    assert raised.value.kind == "at-uri"


def test_length_is_checked_before_anything_else():
    with pytest.raises(Malformed, match="8192"):
        parse_at_uri("at://" + "a" * 8188)


@given(st.text().map("at://".__add__) | st.text())
def test_garbage_is_malformed_and_nothing_else(text):
    try:
        uri = parse_at_uri(text)
    except Malformed:
        return
    assert parse_at_uri(str(uri)) == uri
