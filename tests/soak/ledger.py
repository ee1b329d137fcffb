"""The table of ``docs/soak.md``: one row per part of a run, added below the others."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

LONGEST_RESULT = 160


@dataclass(frozen=True)
class Row:
    """What was run, on which commit, and what came of it."""

    commit: str
    part: str
    seeds: str
    scale: str
    minutes: float
    result: str
    is_good: bool

    def text(self, day: str) -> str:
        """One line of the table."""
        result = " ".join(self.result.split()).replace("|", "/")[:LONGEST_RESULT]
        cells = (day, self.commit, self.part, self.seeds, self.scale, f"{self.minutes:.1f} min", result)
        return f"| {' | '.join(cells)} |\n"


def record(path: Path, row: Row) -> None:
    """Add a row; the table is the end of the file."""
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    with path.open("a", encoding="utf-8") as file:
        file.write(row.text(day))
