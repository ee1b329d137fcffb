"""A subject says what happened, to which event, and on which day, within the length that phones show."""

import pytest

from openmeet.emails.render import subject_line


@pytest.mark.parametrize(
    ("fact", "title", "day", "subject"),
    [
        ("You’re going", "Lightning talks", "Tue 24 Nov", "You’re going: Lightning talks, Tue 24 Nov"),
        ("Your answers", "Thursday games", "", "Your answers: Thursday games"),
        ("Cancelled", "Tea, " * 40, "Tue 24 Nov", "Cancelled: Tea, Tea, Tea, Tea, Tea, Tea, Tea, T…, Tue 24 Nov"),
        ("Somebody with a name of many words invites you", "Board games", "Tue 24 Nov", None),
        ("Somebody with a name of many words invites you", "Board games at the library", "Tue 24 Nov", None),
    ],
)
def test_only_the_title_is_cut(fact: str, title: str, day: str, subject: str | None) -> None:
    """A long title is cut, but at least a dozen characters of it remain."""
    made = subject_line(fact, title, day)
    assert subject in {made, None}
    assert made.startswith(f"{fact}: {title[:11]}")
    assert made.endswith(day)
    assert len(made) <= max(60, len(fact) + len(day) + 4 + 12)
