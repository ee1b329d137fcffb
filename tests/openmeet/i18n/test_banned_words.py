"""Words that the site does not use. A sentence of the catalogue that contains one has to be rewritten."""

from openmeet.i18n.catalogue import CATALOGUE
from tests import translations
from tests.banned_words import BANNED


def test_no_sentence_has_a_banned_word() -> None:
    translations.good_english(CATALOGUE)


def test_banned_words_are_found() -> None:
    wrong = (
        "Whoever has it",
        "You may not",
        "You can take it back.",
        "The letter was sent.",
        "It was taken back.",
        "It is not here.",
        "It’s full; ask the host.",
        "Continue",
    )
    fine = (
        "12 letters and digits",
        "Letters a to z",
        "Take back",
        "just now",
        "mended",
        "You can’t",
        "Continue with e-mail",
        "&amp;",
    )
    assert all(map(BANNED.search, wrong))
    assert not any(map(BANNED.search, fine))
