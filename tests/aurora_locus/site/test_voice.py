"""Pages speak as people do: no template has a banned word."""

import re
from pathlib import Path
from typing import Final

import aurora_locus
from tests.banned_words import BANNED

# Markup and statements; of expressions the literals stay, which are labels and hints.
_CODE: Final = re.compile(r"{%.*?%}|{#.*?#}|<[^>]*>", re.DOTALL)
_EXPRESSION: Final = re.compile(r"{{(.*?)}}", re.DOTALL)
_LITERAL: Final = re.compile(r'"([^"]*)"')


def sentences(template: str) -> list[str]:
    """The text of a template, by line, and the literals of its expressions."""
    literals = [said for inside in _EXPRESSION.findall(template) for said in _LITERAL.findall(inside) if " " in said]
    return [*_CODE.sub("", _EXPRESSION.sub("", template)).splitlines(), *literals]


def test_no_template_has_a_banned_word() -> None:
    templates = sorted(Path(aurora_locus.__file__).parent.rglob("*.html"))
    assert len(templates) > 20
    found = [
        f"{file.name}: {said.strip()}"
        for file in templates
        for said in sentences(file.read_text("utf-8"))
        if BANNED.search(said)
    ]
    assert found == []


def test_banned_words_are_found() -> None:
    said = sentences('<p class="users">Whoever {{ users }}</p>{{ text("name", hint="You may not.") }}')
    assert [one for one in said if BANNED.search(one)] == ["Whoever ", "You may not."]
