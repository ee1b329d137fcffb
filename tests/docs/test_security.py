"""docs/security.md names for each threat what holds it and what attacks it, and all of it exists."""

import re

import pytest

from tests.docs.named_tests import ROOT, exists
from tests.docs.tables import rows

CODE = re.compile(r"`(src/[^`]+)`")
TEST = re.compile(r"`(tests/[^`]+)`")
ROWS = rows("security.md")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_what_is_named_exists(row: list[str]) -> None:
    """Each threat has a door, at least one file that holds it and one test that tries."""
    _, door, held_by, attacked_by = row
    code, tests = CODE.findall(held_by), TEST.findall(attacked_by)
    assert door
    assert code
    assert tests
    assert [name for name in code if not (ROOT / name).is_file()] == []
    assert [name for name in tests if not exists(name)] == []


def test_every_attack_is_named() -> None:
    """A file of hostile input that no threat names would be an attack that nobody knows the reason of."""
    named = {name.partition("::")[0] for row in ROWS for name in TEST.findall(row[3])}
    attacks = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "attack").glob("test_*.py")}
    assert attacks <= named
