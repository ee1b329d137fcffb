"""Failing cases that the search for new examples records."""

import asyncio
from pathlib import Path

import pytest

from tests.soak.exploring import CasesFound, explore
from tests.soak.ledger import Row, record


def test_a_failing_property_becomes_a_row_with_its_example(tmp_path: Path):
    """A failing property becomes one row with its example, even if it fails several times."""
    with pytest.raises(CasesFound) as found:
        asyncio.run(explore(tmp_path, 7, "tests/soak/failing_property.py"))
    (case,) = found.value.cases
    assert case.test == "tests/soak/failing_property.py::test_numbers_are_small"
    assert case.example == "test_numbers_are_small( number=10, other='a|b', )"
    (tmp_path / "soak.md").touch()
    (tmp_path / "failing-cases.md").write_text("| day | commit | test | seed | example |\n|---|---|---|---|---|\n")
    row = Row("abc1234", "properties", "7–7", "1", 0.1, "seed 7", is_good=False, cases=found.value.cases)
    record(tmp_path, row)
    record(tmp_path, row)
    (line,) = (tmp_path / "failing-cases.md").read_text().splitlines()[2:]
    assert "| abc1234 | `tests/soak/failing_property.py::test_numbers_are_small` | 7 | `test_numbers_are_small(" in line
    assert len((tmp_path / "soak.md").read_text().splitlines()) == 2


def test_run_without_property_tests_fails(tmp_path: Path):
    """A run that could not run any property test is not a success."""
    with pytest.raises(AssertionError, match="pytest ended with"):
        asyncio.run(explore(tmp_path, 7, "tests/checks/test_suite.py"))
