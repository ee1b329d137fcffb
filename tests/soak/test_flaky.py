"""Fifty repetitions of a test that the suite has marked flaky."""

from pathlib import Path

import pytest

from tests.soak import flaky

RARE = """
import os
from pathlib import Path

def test_it():
    runs = Path(__file__).with_name("runs")
    with runs.open("a") as file:
        file.write("x")
    assert len(runs.read_text()) {condition}
"""


@pytest.mark.parametrize(("condition", "is_stable"), [("> 0", True), ("!= 3", False)])
async def test_single_failure_in_many_runs_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, condition: str, *, is_stable: bool
):
    monkeypatch.setattr(flaky, "TIMES", 3)
    monkeypatch.setattr(flaky, "PARALLEL_RUNS", 1)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    story = tmp_path / "test_story.py"
    story.write_text(RARE.format(condition=condition))
    running = flaky.repeat(tmp_path / "folders", 7, [f"{story}::test_it"])
    if is_stable:
        assert await running == "1 tests passed 3 times"
    else:
        with pytest.raises(AssertionError, match="1 of 3 runs failed"):
            await running
    assert (tmp_path / "runs").read_text() == "xxx"
