"""Commands print texts of other people safely, and name the choices of an argument."""

import pytest
from tests.fork_server import FORK_SERVER

from programs.command_line import say


def test_escape_sequences_in_texts_are_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences in other people's texts have no effect on the terminal, although a record's name may contain
    some that set titles, move the cursor or hide lines.
    """
    say("one \x1b[2J\x1b]0;title\x07\rtwo \u202ethree\x9b1m\n  four")
    assert capsys.readouterr().out == "one \ufffd[2J\ufffd]0;title\ufffd\ufffdtwo \ufffdthree\ufffd1m\n  four\n"


def test_languages_and_emoji_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    say("می\u200cخواهم \U0001f468\u200d\U0001f469 東京")
    assert capsys.readouterr().out == "می\u200cخواهم \U0001f468\u200d\U0001f469 東京\n"


@pytest.mark.parametrize(
    ("arguments", "choice"),
    [
        (("flags", "on"), "events-in"),
        (("jobs", "list", "--state"), "due"),
        (("services", "make", "sync", "--may"), "sync:events"),
    ],
)
def test_an_unknown_choice_is_refused_with_the_choices(arguments: tuple[str, ...], choice: str) -> None:
    refused = FORK_SERVER.run(*arguments, "everything", environment={})
    text = " ".join(refused.stderr.replace("│", "").split())
    assert refused.returncode == 2
    assert f": 'everything' is not one of {choice}, " in text
    assert "Value error" not in text
