"""Rows of docs/soak.md."""

from pathlib import Path

from tests.soak.ledger import Row, record

ROW = Row("abc1234", "pds", "7–9", "3 × 40 kills", 2.04, "seed 9: a | b\nc " + "x" * 300, is_good=False)


def test_a_row_is_one_line_of_the_table(tmp_path: Path):
    """A row is one line of the table, even if the text of a failure has several lines."""
    path = tmp_path / "soak.md"
    path.write_text("| day |\n|---|\n")
    (tmp_path / "failing-cases.md").touch()
    record(tmp_path, ROW)
    record(tmp_path, ROW)
    lines = path.read_text().splitlines()
    assert len(lines) == 4
    assert lines[2].split(" | ")[1:6] == ["abc1234", "pds", "7–9", "3 × 40 kills", "2.0 min"]
    assert "a / b c" in lines[2]
    assert len(lines[2]) < 300
