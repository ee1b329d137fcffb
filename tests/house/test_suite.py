"""A second look at the few that failed: real runs of pytest in a folder of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from checks import suite
from checks.suite import MOST, worth_a_second_look

from tests.parts import ROOT

# Fails the first time, and every time where there is no ``later``.
STORY = """
from pathlib import Path

def test_it():
    again = Path(__file__).with_suffix(".seen")
    was_here = again.exists()
    again.touch()
    assert was_here and {later}
"""


def run(folder: Path, name: str, *, later: bool) -> "subprocess.CompletedProcess[str]":
    file = folder / name
    file.parent.mkdir(parents=True)
    file.write_text(STORY.format(later=later))
    # The plugins that happen to be installed are not what is looked at here, and importing them takes seconds.
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p xdist.plugin\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "checks.suite", "--workers", "1"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_what_passes_alone_is_named_and_passes(tmp_path: Path):
    done = run(tmp_path, "tests/other/test_story.py", later=True)
    assert done.returncode == 0
    assert "UNSTEADY" in done.stderr
    assert "tests/other/test_story.py::test_it" in done.stderr


def test_what_fails_twice_fails(tmp_path: Path):
    assert run(tmp_path, "tests/other/test_story.py", later=False).returncode == 1


def test_a_simulation_has_no_second_chance(tmp_path: Path):
    assert run(tmp_path, "tests/world/test_story.py", later=True).returncode == 1


def test_what_is_imported_is_compiled_once(tmp_path: Path):
    """Whatever the machine says: workers and hundreds of programs import the same."""
    assert run(tmp_path, "tests/other/test_story.py", later=True).returncode == 0
    assert list((tmp_path / "tests/other/__pycache__").iterdir())


def test_folders_lie_in_memory_where_there_is_room_and_are_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(suite, "MEMORY", tmp_path)
    monkeypatch.setattr(suite, "ROOM_BYTES", 1)
    with suite.folder_of_tests() as (option, folder):
        assert option == "--basetemp"
        assert Path(folder).parent.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(suite, "ROOM_BYTES", 1 << 60)
    with suite.folder_of_tests() as nothing:
        assert nothing == []


@pytest.mark.parametrize(("failed", "worth"), [(0, False), (1, True), (MOST, True), (MOST + 1, False)])
def test_only_a_few_are_looked_at(failed: int, worth: bool):
    assert worth_a_second_look([f"tests/other/test_a.py::test_{n}" for n in range(failed)]) is worth
