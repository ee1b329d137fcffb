"""docs/failing-cases.md: each row names a test that exists, and the table can be added to by a program."""

import re

from tests.docs.named_tests import exists
from tests.docs.tables import DOCS, rows


def test_every_row_names_a_test_that_is_there() -> None:
    """A row outlives no test: whoever removes or renames one looks at its cases."""
    for _day, _commit, test, seed, example in rows("failing-cases.md"):
        assert exists(re.sub(r"\[.*\]$", "", test.strip("`")))
        assert seed.isdigit()
        assert example.strip("`")


def test_the_table_is_the_end_of_the_file() -> None:
    assert (DOCS / "failing-cases.md").read_text().rstrip().splitlines()[-1].startswith("|")
