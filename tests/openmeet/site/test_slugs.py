"""Addresses keep what a word is made of, in every script."""

import pytest

from openmeet.site.slugs import words_of


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Café Crème", "cafe-creme"),
        ("Über Straße", "uber-strasse"),
        ("Tiếng Việt", "tieng-viet"),
        ("йога в парке", "йога-в-парке"),
        ("ガーデン グループ", "ガーデン-グループ"),
        ("हिन्दी सम्मेलन", "हिन्दी-सम्मेलन"),
        ("กีตาร์", "กีตาร์"),
        ("한국어 모임", "한국어-모임"),
        ("Run & fun, 5 km!", "run-fun-5-km"),
        ("🎉🎉", "event"),
        ("\u0301\u0301", "event"),
        ("0\u00a8", "0"),
        ("☀\ufe0f Tag 1\ufe0f\u20e3", "tag-1"),
    ],
)
def test_words_of_a_title(title: str, words: str):
    assert words_of(title, otherwise="event") == words
