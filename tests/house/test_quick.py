"""Which tests ``make quick`` chooses."""

from pathlib import Path

import pytest
from checks import quick


def test_what_reaches_a_change_is_found_through_any_number_of_imports():
    graph: dict[str, set[str]] = {"a": set(), "b": {"a"}, "c": {"b"}, "d": {"e"}, "e": {"d"}}
    assert quick.reached({"a"}, graph) == ["a", "b", "c"]
    assert quick.reached({"e"}, graph) == ["e", "d"]


def test_a_changed_module_chooses_its_tests_and_no_others():
    files = quick.chosen({"src/at_protocol/syntax/tid.py"})
    assert "tests/at_protocol/syntax/test_tid.py" in files
    assert "tests/openmeet/recurrence/test_cases.py" not in files
    assert not [file for file in files if file.split("/")[1] in quick.LEFT_TO_THE_SUITE]


def test_a_fixture_of_a_folder_chooses_the_tests_in_it():
    files = quick.chosen({"tests/openmeet/letters/conftest.py"})
    there = {path.as_posix() for path in Path("tests/openmeet/letters").glob("test_*.py")}
    assert there
    assert there <= set(files)
    assert len(files) < 3 * len(there)


def test_what_was_changed_itself_comes_first():
    assert quick.chosen({"tests/at_protocol/syntax/test_tid.py"}) == ["tests/at_protocol/syntax/test_tid.py"]


@pytest.mark.parametrize("path", ["README.md", "docs/layout.md"])
def test_a_page_chooses_no_test(path: str):
    assert quick.chosen({path}) == []
