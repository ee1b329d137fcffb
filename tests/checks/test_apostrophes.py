"""Texts for people use typographic apostrophes, on every page alike and distinct from quotation marks."""

import pytest
from checks.apostrophes import found_in, in_python, in_template

from tests.external_dependencies import ROOT


def test_no_visible_text_has_a_straight_apostrophe() -> None:
    assert list(found_in(ROOT)) == []


@pytest.mark.parametrize("text", ["The group's page", "It isn't here", "Their authors' names", "we'll see", "friends'"])
def test_straight_apostrophes_in_text_are_found(text: str) -> None:
    assert in_python(f'x = 1\ny = "{text}"') == [2]
    assert in_python(f'x = f"{text} {{x}}"') == [1]
    assert in_template(f"<p>\n{text}</p>") == [2]


@pytest.mark.parametrize(
    "text",
    [
        "The group’s page",
        "where kind = 'series' and x",
        "in ('yes', 'theirs')",
        "'d'",
        "|| '_events', y",
        "path.startswith('/groups') or x",
    ],
)
def test_values_and_correct_texts_are_not_reported(text: str) -> None:
    assert in_python(f'"""A module\'s own words."""\nx = "{text}"') == []
    assert in_template(f"{{# the group's #}}{text}") == []
