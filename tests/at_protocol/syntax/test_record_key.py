"""Record keys: length, and the two names that would change a path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.failures import Malformed
from at_protocol.syntax.record_key import parse_record_key


def test_512_characters_are_the_limit():
    parse_record_key("k" * 512)
    with pytest.raises(Malformed, match="512"):
        parse_record_key("k" * 513)


@pytest.mark.parametrize("text", [".", "..", "a/b", "", "a b", "%41", "self\n"])
def test_invalid_record_keys_are_refused(text):
    with pytest.raises(Malformed):
        parse_record_key(text)


@pytest.mark.parametrize("text", ["...", "self.", ":", "-", "literal:self", "Self"])
def test_accepted_as_written(text):
    assert parse_record_key(text) == text


@given(st.text())
def test_garbage_is_malformed_and_nothing_else(text):
    try:
        assert parse_record_key(text) == text
    except Malformed:
        return
