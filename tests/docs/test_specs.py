"""docs/specs.md claims only what a test shows."""

import re

import pytest

from tests.docs.named_tests import ROOT, exists
from tests.docs.tables import rows

ROWS = rows("specs.md")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_named_files_and_tests_exist(row: list[str]) -> None:
    """A "yes" names code and a test, a "partial" says what is missing, and a "no" names nothing."""
    _, held, where, shown_by = row
    code, tests = re.findall(r"`(src/[^`]+)`", where), re.findall(r"`(tests/[^`]+)`", shown_by)
    assert [name for name in code if not (ROOT / name).is_file()] == []
    assert [name for name in tests if not exists(name)] == []
    match held:
        case "yes":
            assert code
            assert tests
        case "partial":
            assert code
            assert ":" in where
        case _:
            assert held == "no"
            assert where == shown_by == ""


def test_every_package_of_the_protocol_core_is_in_a_clause() -> None:
    """Every package of the protocol core is named in a clause; unlisted code would be a claim that nobody checks."""
    named = set(re.findall(r"`src/(at_protocol/\w+)/", " ".join(row[2] for row in ROWS)))
    rooms = {
        f"at_protocol/{one.name}" for one in (ROOT / "src/at_protocol").iterdir() if (one / "__init__.py").is_file()
    }
    assert named == rooms
