"""docs/failing-cases.md: each row names a test that exists, and programs can append to the table."""

import re

from tests.docs.named_tests import exists
from tests.docs.tables import DOCS, rows


def test_every_row_names_a_test_that_is_there() -> None:
    """Every row names an existing test, so that nobody removes or renames a test without looking at its cases."""
    for _day, _commit, test, seed, example in rows("failing-cases.md"):
        assert exists(re.sub(r"\[.*\]$", "", test.strip("`")))
        assert seed.isdigit()
        assert example.strip("`")


def test_the_table_is_the_end_of_the_file() -> None:
    assert (DOCS / "failing-cases.md").read_text().rstrip().splitlines()[-1].startswith("|")
