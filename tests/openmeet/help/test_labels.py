"""The help quotes the labels of buttons and fields as they are, in every language."""

import re
from typing import Final

import pytest
from babel.messages.pofile import read_po

from openmeet.i18n import catalogue
from openmeet.i18n.catalogue import LOCALES, SOURCE, speaking
from openmeet.web.help.texts import QUESTIONS

# The quotation marks of all languages: “…” in English, „…“ in German, « … » in French.
_MARKS: Final = "“”„‟«»‹›「」『』"
_QUOTED: Final = re.compile(rf"[{_MARKS}]\s*([^{_MARKS}]+?)\s*[{_MARKS}]")


def _messages(language: str) -> set[str]:
    """Every message in this language."""
    name = "openmeet.pot" if language == SOURCE else f"{language}/LC_MESSAGES/openmeet.po"
    with (LOCALES / name).open("rb") as file:
        messages = [one for one in read_po(file) if one.id]
    forms = [(one.id, one.string) if isinstance(one.id, str) else (*one.id, *one.string) for one in messages]
    return {text for several in forms for text in several}


def _quoted(language: str) -> list[str]:
    """The labels that the help quotes in this language."""
    with speaking(language):
        return [label for one in QUESTIONS for part in one.parts for label in _QUOTED.findall(str(part))]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("„Ich komme“ ist", "Ich komme"),
        ("«\u202fJe viens\xa0» est", "Je viens"),
        ("”Jag kommer” är", "Jag kommer"),
        ("「行く」は", "行く"),
    ],
)
def test_labels_are_found_in_the_quotation_marks_of_each_language(text: str, label: str) -> None:
    assert _QUOTED.findall(text) == [label]


@pytest.mark.parametrize("language", [tag for tag in catalogue.available() if "-" not in tag])
def test_every_quoted_label_exists(language: str) -> None:
    quoted = _quoted(language)
    assert quoted
    assert len(quoted) == len(_quoted(SOURCE)), "a quotation is missing, or has marks that this test does not know"
    labels = {message.casefold() for message in _messages(language)}
    assert {label for label in quoted if label.casefold() not in labels} == set()
