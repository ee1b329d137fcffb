"""Badges begin with a capital letter, on all pages of both servers (docs/design-language.md)."""

import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
TEMPLATES = [path for kind in ("html", "jinja") for path in sorted(SOURCES.rglob(f"templates/*.{kind}"))]
# The text of a badge, after its icon. It may be a choice between two messages.
_BADGE = re.compile(
    r"""<span class="chip(?:\{\{.*?\}\}|[^>])*>(?:\{\{ icons\.icon\([^}]*\}\})?(.*?)</span>""", re.DOTALL
)
_MESSAGE = re.compile(r"""\{% trans[^%]*%\}|gettext\("|_\("|^""")
# Words that are also used inside sentences, where they begin with a small letter.
_TABLES = ("state_words", "status_words", "circuit_words", "STATES")


def small(template: str) -> list[str]:
    """The beginnings of badges with a small letter, and badges that show a word of a table as it is."""
    found = []
    for text in _BADGE.findall(template):
        if "|capital" in text:
            continue
        begun = [text[one.end() :].strip() for one in _MESSAGE.finditer(text)]
        found += [one[:12] for one in begun if one[:1].islower()]
        found += [table for table in _TABLES if f"{table}[" in text]
    return found


@pytest.mark.parametrize(
    ("template", "is_right"),
    [
        ('<span class="chip">{% trans %}Open{% endtrans %}</span>', True),
        ('<span class="chip {{ tone }}">{{ _("Open") if is_open else _("closed") }}</span>', False),
        ('<span class="chip">{% trans n=n %}{{ n }} left{% endtrans %}</span>', True),
        ('<span class="chip">{{ state_words[one] }}</span>', False),
        ('<span class="chip">{{ state_words[one]|capital }}</span>', True),
    ],
)
def test_small_letters_are_found(template: str, *, is_right: bool) -> None:
    assert bool(small(template)) is not is_right


def test_badges_begin_with_a_capital_letter() -> None:
    assert len(TEMPLATES) > 100
    assert {path.name: small(path.read_text("utf-8")) for path in TEMPLATES if small(path.read_text("utf-8"))} == {}
