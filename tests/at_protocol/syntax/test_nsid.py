"""NSIDs: length, authority, normal form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.failures import Malformed
from at_protocol.syntax.nsid import authority_domain, normal_form, parse_nsid


def test_317_characters_are_the_limit():
    authority = "com." + ".".join(["a" * 63] * 3) + "." + "b" * 57
    assert len(authority) == 253
    parse_nsid(authority + "." + "c" * 63)
    with pytest.raises(Malformed):
        parse_nsid(authority + "b." + "c" * 63)
    with pytest.raises(Malformed):
        parse_nsid(authority + "." + "c" * 64)


@pytest.mark.parametrize("glob", ["com.example.*", "*", "com.*.thing", "com.example.thing#main"])
def test_patterns_and_references_are_not_nsids(glob):
    with pytest.raises(Malformed):
        parse_nsid(glob)


def test_authority_is_the_domain_reversed():
    assert authority_domain(parse_nsid("edu.UNI.dept.getX")) == "dept.uni.edu"


def test_case_of_the_name_is_kept():
    assert normal_form(parse_nsid("COM.Example.fooBar")) == "com.example.fooBar"


@given(st.text() | st.from_regex(r"[A-Za-z0-9.-]*"))
def test_garbage_is_malformed_and_nothing_else(text):
    try:
        assert parse_nsid(text) == text
    except Malformed:
        return
