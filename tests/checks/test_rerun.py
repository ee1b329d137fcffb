"""Tests that failed when run with others are run again alone: real runs of the suite, each in its own folder."""

from pathlib import Path

from checks.rerun import Failure

from checks import rerun
from tests.checks.suite_runs import run_suite

# Fails only the first time.
ONCE = """
from pathlib import Path

def test_it{number}():
    again = Path(__file__).with_suffix(".seen{number}")
    was_here = again.exists()
    again.touch()
    assert was_here, "the first time"
"""
ALWAYS = "def test_always():\n    assert False, 'every time'\n"
NAME = "tests/other/test_story.py"


def stories(count: int) -> str:
    return "".join(ONCE.format(number=number) for number in range(count))


def test_test_that_passes_alone_is_named_and_the_run_succeeds(tmp_path: Path):
    done = run_suite(tmp_path, NAME, stories(3) + "def test_fine():\n    pass\n")
    assert done.returncode == 0
    assert "0 failed, 1 passed, 0 skipped, 3 flaky" in done.stdout
    for number in range(3):
        assert f"FLAKY {NAME}::test_it{number}" in done.stdout
    end = done.stdout.partition("The ten slowest files")[2]
    assert end.count("AssertionError: the first time") == 3
    files = list((tmp_path / rerun.FOLDER).iterdir())
    assert sorted(file.read_text().splitlines()[0] for file in files) == rerun.recorded_tests(tmp_path / rerun.FOLDER)
    assert all("AssertionError: the first time" in file.read_text() for file in files)


def test_test_that_fails_again_fails_the_run(tmp_path: Path):
    done = run_suite(tmp_path, NAME, stories(1) + ALWAYS)
    assert done.returncode == 1
    assert f"FAILED again, alone: {NAME}::test_always" in done.stdout
    assert f"FLAKY {NAME}::test_it0" in done.stdout
    assert "1 failed, 0 passed, 0 skipped, 1 flaky" in done.stdout


def test_seven_failures_are_not_repeated(tmp_path: Path):
    done = run_suite(tmp_path, NAME, stories(7))
    assert done.returncode == 1
    assert "7 failed, 0 passed, 0 skipped" in done.stdout
    assert "FLAKY" not in done.stdout
    assert not (tmp_path / rerun.FOLDER).exists()


def test_simulations_are_not_repeated(tmp_path: Path):
    done = run_suite(tmp_path, "tests/simulation/test_story.py", stories(1))
    assert done.returncode == 1
    assert "FLAKY" not in done.stdout


def test_nothing_is_repeated_after_a_worker_died(tmp_path: Path):
    done = run_suite(tmp_path, NAME, stories(1) + "def test_last():\n    import os\n    os._exit(0)\n")
    assert done.returncode == 1
    assert "FLAKY" not in done.stdout


def test_a_test_that_is_skipped_the_second_time_has_not_passed(tmp_path: Path):
    story = stories(1).replace("assert was_here", "import pytest\n    if was_here: pytest.skip()\n    assert was_here")
    done = run_suite(tmp_path, NAME, story)
    assert (done.returncode, "1 failed" in done.stdout) == (1, True)


def test_phases_and_subtests_of_one_test_are_one():
    failures = [
        Failure(f"a.py::test_it {phase}", "a.py::test_it", "") for phase in ("(call)", "(teardown)", "n=1", "n=2")
    ]
    assert rerun.tests_to_rerun(failures) == ["a.py::test_it"]
    assert rerun.tests_to_rerun([*failures, Failure("b.py (collection)", "", "")]) == []
    assert rerun.tests_to_rerun([]) == []
