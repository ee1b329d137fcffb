"""Commands print texts of other people safely, and name the choices of an argument."""

from pathlib import Path

import pytest
from tests.fork_server import FORK_SERVER

from programs.command_line import say, say_counts, say_table, with_path, with_size


def test_escape_sequences_in_texts_are_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences in other people's texts have no effect on the terminal, although a record's name may contain
    some that set titles, move the cursor or hide lines.
    """
    say("one \x1b[2J\x1b]0;title\x07\rtwo \u202ethree\x9b1m\n  four")
    assert capsys.readouterr().out == "one \ufffd[2J\ufffd]0;title\ufffd\ufffdtwo \ufffdthree\ufffd1m\n  four\n"


def test_languages_and_emoji_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    say("می\u200cخواهم \U0001f468\u200d\U0001f469 東京")
    assert capsys.readouterr().out == "می\u200cخواهم \U0001f468\u200d\U0001f469 東京\n"


def test_tables_are_as_wide_as_their_content(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns are as wide as their widest cell. Numbers have separators and end below each other."""
    say_table([("a name", 5, ""), ("b", 12_345, "last")])
    say_table([])
    assert capsys.readouterr().out == "a name       5\nb       12,345  last\n"


def test_counts_end_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    say_counts({"records": 1_234_567, "blobs": 2})
    assert capsys.readouterr().out == "   1,234,567  records\n           2  blobs\n"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB (1,000 bytes)"),
        (5_368_709_120, "5.4 GB (5,368,709,120 bytes)"),
        (2_000_000_000_000_000, "2.0 PB (2,000,000,000,000,000 bytes)"),
    ],
)
def test_sizes_are_shown_in_units_and_exactly(size: int, text: str) -> None:
    assert with_size(size) == text


@pytest.mark.parametrize(
    ("arguments", "choice"),
    [
        (("flags", "on", "--why", "a test"), "events-in"),
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


def test_paths_are_shown_so_that_they_work_when_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative below the current folder; elsewhere absolute, so that they also work in another terminal."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    monkeypatch.chdir(here)
    assert with_path(here / "data" / "settings.toml") == "data/settings.toml"
    assert with_path(elsewhere / "settings.toml") == str(elsewhere / "settings.toml")
