"""docs/security.md names existing defences and existing attack tests for each threat."""

import re

import pytest

from tests.docs.named_tests import ROOT, exists
from tests.docs.tables import rows

CODE = re.compile(r"`(src/[^`]+)`")
TEST = re.compile(r"`(tests/[^`]+)`")
ROWS = rows("security.md")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_named_files_and_tests_exist(row: list[str]) -> None:
    """Each threat names an entry point, at least one file that defends it and one test that attacks it."""
    _, door, held_by, attacked_by = row
    code, tests = CODE.findall(held_by), TEST.findall(attacked_by)
    assert door
    assert code
    assert tests
    assert [name for name in code if not (ROOT / name).is_file()] == []
    assert [name for name in tests if not exists(name)] == []


def test_every_attack_is_named() -> None:
    """Every file of attack tests is named by a threat, so that the reason for each attack is documented."""
    named = {name.partition("::")[0] for row in ROWS for name in TEST.findall(row[3])}
    attacks = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "attack").glob("test_*.py")}
    assert attacks <= named
