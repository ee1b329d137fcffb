"""Handles: length, case, and the domains that no account can have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.failures import Malformed
from at_protocol.syntax.at_identifier import is_did, parse_at_identifier
from at_protocol.syntax.handle import INVALID, parse_handle, reserved_domain


def _of_length(length):
    """A handle of this length with labels of up to 63 characters."""
    labels = ["a" * 63] * 3
    rest = length - len(".".join(labels)) - 1
    return ".".join([*labels, "b" * rest])


def test_253_characters_are_the_limit():
    assert len(parse_handle(_of_length(253))) == 253
    with pytest.raises(Malformed):
        parse_handle(_of_length(254))


def test_a_label_has_63_characters_at_most():
    parse_handle("a" * 63 + ".test")
    with pytest.raises(Malformed):
        parse_handle("a" * 64 + ".test")


def test_case_is_folded():
    """Case is folded: Alice.Example.COM and alice.example.com are one handle."""
    assert parse_handle("Alice.Example.COM") == parse_handle("alice.example.com") == "alice.example.com"


@pytest.mark.parametrize("domain", ["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion"])
def test_reserved_domains_are_well_formed(domain):
    """A reserved domain is valid syntax. Registration and resolution call reserved_domain."""
    assert reserved_domain(parse_handle(f"alice.{domain.upper()}")) == domain


def test_the_test_domain_is_for_development():
    assert reserved_domain(parse_handle("alice.test")) == "test"
    assert reserved_domain(parse_handle("alice.test"), allow_test=True) is None
    assert reserved_domain(parse_handle("alice.example.com")) is None
    assert reserved_domain(INVALID) == "invalid"


def test_at_identifier_is_a_did_or_a_handle():
    assert is_did(parse_at_identifier("did:web:example.com"))
    assert not is_did(parse_at_identifier("example.com"))


@given(st.text() | st.from_regex(r"[A-Za-z0-9.-]*"))
def test_garbage_is_malformed_and_nothing_else(text):
    try:
        handle = parse_handle(text)
    except Malformed:
        return
    assert handle == text.lower() == parse_handle(handle)
