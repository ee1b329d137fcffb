"""Words that the site does not use: a sentence of the catalogue with one of them is to be rewritten."""

from collections.abc import Iterable

from babel.messages.pofile import read_po

from openmeet.i18n.catalogue import DOMAIN, LOCALES
from tests.banned_words import BANNED


def _sentences() -> Iterable[str]:
    with (LOCALES / f"{DOMAIN}.pot").open("rb") as file:
        for message in read_po(file):
            yield from message.id if isinstance(message.id, tuple) else (message.id,)


def test_no_sentence_has_a_banned_word() -> None:
    assert [one for one in _sentences() if BANNED.search(one)] == []


def test_banned_words_are_found() -> None:
    wrong = ("Whoever has it", "You may not", "You can take it back.", "The letter was sent.", "It was taken back.")
    fine = ("12 letters and digits", "Letters a to z", "Take back", "just now", "mended", "You can’t")
    assert all(map(BANNED.search, wrong))
    assert not any(map(BANNED.search, fine))
