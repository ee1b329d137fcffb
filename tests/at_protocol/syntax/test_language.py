"""Language tags and URIs: cases that the published lists leave open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.failures import Malformed
from at_protocol.syntax.cid_text import parse_cid_text
from at_protocol.syntax.language import parse_language, parse_valid_language
from at_protocol.syntax.uri import parse_uri


@pytest.mark.parametrize(
    "text", ["de-DE-1901-1901", "en-rozaj-ROZAJ", "en-a-foo-a-bar", "en-u-co-phonebk-U-ca-buddhist"]
)
def test_repetition_is_well_formed_and_not_valid(text):
    assert parse_language(text) == text
    with pytest.raises(Malformed, match="twice"):
        parse_valid_language(text)


@pytest.mark.parametrize("text", ["de-419-DE", "en-", "e-US", "english", "EN", "i-unknown", "x", "en--US", "en-x"])
def test_not_well_formed(text):
    """A tag with two regions does not match the grammar; the list leaves ``de-419-DE`` open."""
    with pytest.raises(Malformed):
        parse_language(text)


def test_a_repeated_part_of_private_use_means_nothing():
    assert parse_valid_language("en-x-abcde-abcde") == "en-x-abcde-abcde"


def test_a_hostile_tag_is_short():
    with pytest.raises(Malformed):
        parse_language("en" + "-abcde" * 100)


def test_8192_characters_are_the_limit_of_uris():
    parse_uri("https://" + "x" * 8184)
    with pytest.raises(Malformed):
        parse_uri("https://" + "x" * 8185)


@pytest.mark.parametrize("parse", [parse_language, parse_valid_language, parse_uri, parse_cid_text])
@given(text=st.text() | st.from_regex(r"[a-z]{2}(-[A-Za-z0-9]{1,8}){0,5}"))
def test_garbage_is_malformed_and_nothing_else(parse, text):
    try:
        assert parse(text) == text
    except Malformed:
        return
