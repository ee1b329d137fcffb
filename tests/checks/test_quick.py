"""Which tests ``make quick`` selects."""

from pathlib import Path

import pytest

from checks import quick


def test_tests_are_found_through_any_number_of_imports():
    graph: dict[str, set[str]] = {"a": set(), "b": {"a"}, "c": {"b"}, "d": {"e"}, "e": {"d"}}
    assert quick.reached({"a"}, graph) == ["a", "b", "c"]
    assert quick.reached({"e"}, graph) == ["e", "d"]


def test_changed_module_selects_only_its_tests():
    files = quick.chosen({"src/at_protocol/syntax/tid.py"})
    assert "tests/at_protocol/syntax/test_tid.py" in files
    assert "tests/openmeet/recurrence/test_cases.py" not in files
    assert not [file for file in files if file.split("/")[1] in quick.LEFT_TO_THE_SUITE]


def test_changed_conftest_selects_the_tests_of_its_folder():
    files = quick.chosen({"tests/openmeet/emails/conftest.py"})
    there = {path.as_posix() for path in Path("tests/openmeet/emails").glob("test_*.py")}
    assert there
    assert there <= set(files)
    assert len(files) < 3 * len(there)


def test_changed_tests_come_first():
    assert quick.chosen({"tests/at_protocol/syntax/test_tid.py"}) == ["tests/at_protocol/syntax/test_tid.py"]


@pytest.mark.parametrize("path", ["README.md", "docs/layout.md"])
def test_changed_document_selects_no_test(path: str):
    assert quick.chosen({path}) == []


def test_no_file_starts_that_would_not_end_in_time():
    """Files that would not end in time are not started. A long file is left out if the remaining time is too short, and
    shorter files run instead.
    """
    expected = {"long": 60.0, "short": 2.0}
    assert quick.in_time(["long", "short", "unknown"], expected, 100.0) == ["long", "short", "unknown"]
    assert quick.in_time(["short", "long", "unknown"], expected, 30.0) == ["short", "unknown"]
    assert quick.in_time(["short", "unknown"], expected, 0.5) == []
    assert quick.in_time([str(number) for number in range(50)], {}, 100.0) == [str(number) for number in range(6)]


def test_imports_are_found_in_every_form(tmp_path: Path):
    """An import is found in brackets, inside a function, next to others, and as a string that names the module to
    patch.
    """
    file = tmp_path / "importing.py"
    file.write_text(
        "import a, b.c\nfrom d import (\n    e,  # why\n    f as g,\n)\ndef it():\n    from h import i\nx = 'j.k'\n"
    )
    known = {"a", "b.c", "d", "d.e", "d.f", "h", "h.i", "j.k", "z"}
    assert quick.imports(file, known) == known - {"z"}
