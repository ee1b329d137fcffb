"""House rules that a broken example shows to work."""

import ast
from pathlib import Path

import pytest

from checks import house

THIS = "tests.checks.test_house"


@pytest.mark.parametrize(
    "statement",
    [
        f"from {THIS} import THIS",
        "from tests.checks import test_house",
        f"import {THIS}",
        f"def later():\n    from {THIS} import THIS",
    ],
)
def test_imports_from_test_files_are_found(statement: str) -> None:
    assert house.imported_test_files(ast.parse(statement)) == [THIS]


@pytest.mark.parametrize(
    "statement", ["from tests.checks.suite_runs import run_suite", "from checks.house import test_it"]
)
def test_imports_from_other_modules_are_allowed(statement: str) -> None:
    assert house.imported_test_files(ast.parse(statement)) == []


def test_a_test_that_imports_from_another_one_breaks_a_rule() -> None:
    text = f"from {THIS} import THIS\n"
    (problem,) = house.problems_of_python(Path(__file__), "tests/checks/test_other.py", text, ast.parse(text))
    assert problem.startswith(f"tests/checks/test_other.py: imports {THIS}")


def test_a_class_name_that_two_modules_use_breaks_a_rule() -> None:
    assert house.class_names(ast.parse("class Turn: ...\nclass Other: ...\n")) == ["Turn", "Other"]
    (problem,) = house.repeated_class_names({"src/a.py": ["Turn"], "src/b.py": ["Turn", "Other"]})
    assert problem.startswith("src/a.py, src/b.py: each has a class Turn")


def test_sql_in_a_page_breaks_a_rule() -> None:
    text = '"""A page."""\n\nrows = reader.fetch("select 1")\n'
    (problem,) = house.problems_of_python(Path(__file__), "src/openmeet/web/help/pages.py", text, ast.parse(text))
    assert problem.startswith("src/openmeet/web/help/pages.py:3: SQL in a page")
    assert house.problems_of_python(Path(__file__), "src/openmeet/domain/help.py", text, ast.parse(text)) == []
