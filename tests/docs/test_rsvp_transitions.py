"""docs/rsvps.md has the same table of transitions as the code."""

from openmeet.domain.attendance.transitions import STATUSES_BEFORE, TRANSITIONS
from tests.docs.tables import bare, section


def test_every_cell_of_the_table_matches_the_code() -> None:
    in_code = {act.value: [row[column].value for column in STATUSES_BEFORE] for act, row in TRANSITIONS.items()}
    assert {bare(name): cells for name, *cells in section("rsvps.md", "Transitions")} == in_code
