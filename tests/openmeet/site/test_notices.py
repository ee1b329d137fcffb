"""Sentences with numbers: a forged cookie can contain other numbers, but no text, and cannot make a page fail."""

import pytest

from openmeet.web.site import flash_messages


@pytest.mark.parametrize(
    ("name", "numbers", "words"),
    [
        ("answers_approved", (6, 2, 0), "6 approved, 2 on the waitlist. We’re letting them know."),
        ("answers_approved", (0, 2, 0), "2 on the waitlist. We’re letting them know."),
        ("answers_approved", (0, 0, 0), "Nobody was waiting for your answer any more."),
        ("answers_approved", (0, 0, 1), "1 person is back on the list, as before."),
        (
            "answers_approved",
            (6, 0, 2),
            "6 approved. We’re letting them know. 2 people are back on the list, as before.",
        ),
        ("answers_rejected", (1,), "1 declined. We’re letting them know."),
        ("dates_answered", (5, 8), "You’re going to 5 of the next 8 dates."),
        ("dates_answered", (8, 8), "You’re going to all of the next 8 dates."),
        ("dates_answered", (1, 1), "You’re going to the next date."),
        ("dates_answered", (0, 8), "Saved. Below you see which dates you can answer."),
    ],
)
def test_a_packed_notice_is_shown(name: str, numbers: tuple[int, ...], words: str) -> None:
    assert flash_messages.notice_text(flash_messages.format_notice(name, numbers)) == words


@pytest.mark.parametrize(
    "value",
    [
        "",
        "answers_approved",
        "answers_approved.1",
        "answers_approved.1.2.3.4",
        "answers_approved.-1.2.3",
        "answers_approved.1.2.²",
        "answers_approved.1.2.99999999",
        "answers_approved.<b>.2.3",
        "unknown.1",
        ".",
    ],
)
def test_any_other_cookie_shows_nothing(value: str) -> None:
    assert not flash_messages.notice_text(value)


def test_a_call_with_the_wrong_numbers_raises_an_error() -> None:
    with pytest.raises(ValueError, match="-1"):
        flash_messages.format_notice("answers_rejected", (-1,))
    with pytest.raises(ValueError, match="1"):
        flash_messages.format_notice("answers_approved", (1,))
    with pytest.raises(KeyError):
        flash_messages.format_notice("unknown", (1,))
