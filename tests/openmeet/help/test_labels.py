"""The help quotes the labels of buttons and fields as they are, in every language."""

import re
from typing import Final

import pytest
from babel.messages.pofile import read_po

from openmeet.i18n import catalogue
from openmeet.i18n.catalogue import LOCALES, SOURCE, speaking
from openmeet.web.help.texts import QUESTIONS

# “…” in English, „…“ in German.
_QUOTED: Final = re.compile("[“„]([^“„”]+)[”“]")


def _messages(language: str) -> set[str]:
    """Every message in this language."""
    name = "openmeet.pot" if language == SOURCE else f"{language}/LC_MESSAGES/openmeet.po"
    with (LOCALES / name).open("rb") as file:
        messages = [one for one in read_po(file) if one.id]
    forms = [(one.id, one.string) if isinstance(one.id, str) else (*one.id, *one.string) for one in messages]
    return {text for several in forms for text in several}


@pytest.mark.parametrize("language", [tag for tag in catalogue.available() if "-" not in tag])
def test_every_quoted_label_exists(language: str) -> None:
    with speaking(language):
        quoted = {label for one in QUESTIONS for part in one.parts for label in _QUOTED.findall(str(part))}
    assert quoted
    labels = {message.casefold() for message in _messages(language)}
    assert {label for label in quoted if label.casefold() not in labels} == set()
