"""DIDs: length, and the three distinct outcomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.failures import Malformed
from at_protocol.syntax.did import DidMethod, is_plc, method_of, parse_did, supported_method, web_host


def test_2048_characters_are_the_limit():
    prefix = "did:example:"
    parse_did(prefix + "a" * (2048 - len(prefix)))
    with pytest.raises(Malformed):
        parse_did(prefix + "a" * (2049 - len(prefix)))


@pytest.mark.parametrize(
    "text, method",
    [
        ("did:plc:44ybard66vv44zksje25o7dz", DidMethod.PLC),
        ("did:web:example.com", DidMethod.WEB),
        ("did:web:localhost%3A1234", DidMethod.WEB),
        ("did:web:localhost", DidMethod.WEB),
    ],
)
def test_supported_methods_are_recognized(text, method):
    assert supported_method(parse_did(text)) is method
    assert method_of(parse_did(text)) == method.value


@pytest.mark.parametrize(
    "text",
    [
        "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
        "did:plc:asdf123",
        "did:plc:44ybard66vv44zksje25o7d0",
        "did:plc:44YBARD66VV44ZKSJE25O7DZ",
        "did:web:example.com:user",
        "did:web:example.com%3A1234",
        "did:web:127.0.0.1",
        "did:web:-example.com",
        "did:method::::val",
    ],
)
def test_well_formed_but_unsupported(text):
    """A DID of an unsupported method is well-formed, and the error names the method."""
    with pytest.raises(Malformed) as raised:
        supported_method(parse_did(text))
    assert raised.value.kind == "did method"


def test_a_path_is_named_as_the_reason():
    with pytest.raises(Malformed, match="path"):
        supported_method(parse_did("did:web:example.com:user"))


def test_host_of_a_web_did_is_lower_case():
    assert web_host(parse_did("did:web:Example.COM")) == "example.com"
    assert web_host(parse_did("did:web:localhost%3a2583")) == "localhost:2583"


def test_plc_is_24_characters():
    assert is_plc("did:plc:44ybard66vv44zksje25o7dz")
    assert not is_plc("did:plc:44ybard66vv44zksje25o7dzz")
    assert not is_plc("did:plc:44ybard66vv44zksje25o7dz\n")


@given(st.text() | st.from_regex(r"did:[a-z]+:.*"))
def test_garbage_is_malformed_and_nothing_else(text):
    try:
        did = parse_did(text)
        supported_method(did)
    except Malformed:
        return
    assert did == text
