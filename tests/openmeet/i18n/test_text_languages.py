"""The language of a text, from its words and the languages that are spoken at the event (decision 0166)."""

import pytest

from openmeet.i18n.languages import marked_as


@pytest.mark.parametrize(
    ("text", "spoken", "marked"),
    [
        ("Stammtisch\nWir treffen uns mit allen, die Englisch üben.", ("en",), "de"),
        ("Stammtisch\nWir treffen uns mit allen, die Englisch üben.", (), "de"),
        ("Games night\nBring your friends and the games that you like.", ("de",), ""),
        ("Soirée jeux\nVenez avec des amis, nous avons les jeux.", ("fr", "en"), "fr"),
        # No common word at all: as the host said.
        ("Tango\nAbends", ("de",), "de"),
        ("Çay\nBirlikte içiyoruz", ("tr",), "tr"),
        ("Tango", (), ""),
        ("Tango", ("de", "fr"), ""),
        # One common word of another language: not known.
        ("Tango for two", ("de",), ""),
    ],
)
def test_language_of_a_text(text: str, spoken: tuple[str, ...], marked: str) -> None:
    """On a page in English, which marks no English text."""
    assert marked_as(text, spoken=spoken) == marked
