"""docs/invariants.md names existing code and existing tests for each invariant."""

import re
from itertools import groupby

import pytest

from tests.docs.named_tests import ROOT, exists
from tests.docs.tables import rows

CODE = re.compile(r"`(src/[^`]+)`")
TEST = re.compile(r"`(tests/[^`]+)`")
ROWS = rows("invariants.md")


def test_eleven_invariants_are_listed_in_order() -> None:
    """The eleven invariants are listed in order. Several rows of one invariant follow each other."""
    assert [number for number, _ in groupby(ROWS, key=lambda row: row[0])] == [str(number) for number in range(1, 12)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}: {row[1]}")
def test_named_files_and_tests_exist(row: list[str]) -> None:
    """Each invariant names at least one source file and one test, and all of them exist."""
    _, _, held_by, attacked_by = row
    code, tests = CODE.findall(held_by), TEST.findall(attacked_by)
    assert code
    assert tests
    assert [name for name in code if not (ROOT / name).is_file()] == []
    assert [name for name in tests if not exists(name)] == []


def test_every_invariant_cited_in_the_code_is_listed() -> None:
    """Every invariant that the code cites by number is in the table."""
    numbers = {number for number, *_ in ROWS}
    for path in (ROOT / "src").rglob("*.py"):
        for cited in re.findall(
            r"(?<!canonical-shape )invariants? ((?:\d+(?:, | and )?)+)", path.read_text(encoding="utf-8")
        ):
            assert set(re.findall(r"\d+", cited)) <= numbers, path
