"""Commit subjects, and the git hook that checks them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from checks import subject

ROOT = Path(__file__).parents[2]
# Only this repository's settings apply; the user's own git configuration is ignored.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "MAKE", "MFLAGS"))} | {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


@pytest.mark.parametrize(
    "line",
    [
        "events: say when doors open",
        "pages of the PDS: limit how many one address may open",
        "importRepo: check uploaded repositories in a worker process",
        "docs: embed pictures",
        "queue: process messages of one DID in order",
        "tests: feed the parser with captured frames",
        "a" * 60 + ": add tests",
        "Merge branch 'main'",
        'Revert "events: say when doors open"',
        "fixup! events: say when doors open",
        "",
    ],
)
def test_subjects_by_the_rule_are_accepted(line: str) -> None:
    assert subject.fault(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "Say when doors open",
        "events: Say when doors open",
        "events: say when doors open.",
        "events: added a field for doors",
        "events: adds a field for doors",
        "events: adding a field for doors",
        "events:say when doors open",
        "a" * 62 + ": add tests",
    ],
)
def test_other_subjects_are_refused(line: str) -> None:
    assert subject.fault(line) is not None


def test_comments_and_empty_lines_before_the_subject_do_not_count() -> None:
    assert (
        subject.subject_of("# On branch main\n\nevents: say when doors open\n\nWhy.\n") == "events: say when doors open"
    )


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy that contains only the Makefile and the checks."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "checks", tmp_path / "checks", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_hook_refuses_a_commit_with_a_bad_subject(copy: Path) -> None:
    assert run(copy, "git", "init", "--quiet").returncode == 0
    assert run(copy, "make", "hooks").returncode == 0
    refused = run(copy, "git", "commit", "--allow-empty", "--message", "Say when doors open")
    assert refused.returncode != 0
    assert "area: imperative summary" in refused.stderr
    accepted = run(copy, "git", "commit", "--allow-empty", "--message", "events: say when doors open")
    assert accepted.returncode == 0, accepted.stderr


def test_own_hooks_are_kept(copy: Path) -> None:
    run(copy, "git", "init", "--quiet")
    run(copy, "git", "config", "core.hooksPath", "mine")
    assert run(copy, "make", "hooks").returncode == 0
    assert run(copy, "git", "config", "core.hooksPath").stdout == "mine\n"


def test_an_archive_without_git_has_no_hooks(copy: Path) -> None:
    done = run(copy, "make", "hooks")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert not (copy / ".git").exists()


def test_installing_for_development_sets_up_the_hook() -> None:
    assert "core.hooksPath" in run(ROOT, "make", "--dry-run", "install-dev").stdout
