"""The tables that long runs append to: ``docs/soak.md``, a row per part of a run, and ``docs/failing-cases.md``, a row
per failing case.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

LONGEST_RESULT = 160
LONGEST_EXAMPLE = 1_500


@dataclass(frozen=True)
class FailingCase:
    """A property test that failed, its seed, and the example as printed."""

    test: str
    seed: int
    example: str

    def text(self, day: str, commit: str) -> str:
        """One line of the table."""
        example = " ".join(self.example.split()).replace("|", "\\|").replace("`", "'")[:LONGEST_EXAMPLE]
        return f"| {day} | {commit} | `{self.test}` | {self.seed} | `{example}` |\n"


@dataclass(frozen=True)
class Row:
    """What was run, on which commit, and the result."""

    commit: str
    part: str
    seeds: str
    scale: str
    minutes: float
    result: str
    is_good: bool
    cases: tuple[FailingCase, ...] = ()

    def text(self, day: str) -> str:
        """One line of the table."""
        result = " ".join(self.result.split()).replace("|", "/")[:LONGEST_RESULT]
        cells = (day, self.commit, self.part, self.seeds, self.scale, f"{self.minutes:.1f} min", result)
        return f"| {' | '.join(cells)} |\n"


def record(docs: Path, row: Row) -> None:
    """Append the row and its failing cases. Each table is the end of its file. A case that is already listed is not
    added again.
    """
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    with (docs / "soak.md").open("a", encoding="utf-8") as file:
        file.write(row.text(day))
    cases = docs / "failing-cases.md"
    known = cases.read_text(encoding="utf-8")
    with cases.open("a", encoding="utf-8") as file:
        for case in row.cases:
            if f"| `{case.test}` |" not in known:
                file.write(case.text(day, row.commit))
