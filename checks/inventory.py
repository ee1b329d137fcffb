"""Inventory of a run of the suite: its tests, the SQL statements that PostgreSQL executed, and the constraints that
were violated.

``python -m checks.suite --inventory FILE`` writes it; ``python -m checks.inventory BEFORE AFTER`` compares two. The
run's PostgreSQL server logs every statement, including those of programs that tests start.
"""

import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.postgres_schemas import EMPTIER

# Settings that make the server log what this module reads.
SERVER_SETTINGS: Final = {"log_statement": "all", "log_error_verbosity": "verbose", "log_line_prefix": "%n|%d|%a|"}

# The prefix above is the time in seconds since 1970, the database and the program.
_ENTRY = re.compile(r"(\d+\.\d+)\|([^|]*)\|([^|]*)\|([A-Z][A-Z ]*):  (.*)", re.DOTALL)
_VIOLATION = re.compile(r"23\w{3}: (.* violates .*)", re.DOTALL)
_STATEMENT = re.compile(r"\d{5}: (?:statement|execute [^:]*): (.*)", re.DOTALL)
# Names of schemas and databases that tests create, and lists with one parameter per row. Both differ between runs.
_OWN_NAME = re.compile(r'"[a-z_]*\d\w*"')
# Locks and time limits are numbers within the text.
_LONG_NUMBER = re.compile(r"(?<![\w$.])-?\d{4,}\b")
_PARAMETERS = re.compile(r"\$\d+(?:, ?\$\d+)+")


@dataclass(frozen=True, slots=True)
class Inventory:
    """Sorted lists without duplicates. ``cases``: tests and their subtests, including skipped ones."""

    cases: list[str]
    statements: list[str]
    constraints: list[str]


@dataclass(frozen=True, slots=True)
class Produced:
    """A statement that the server executed, or a constraint that it enforced.

    ``at``: in seconds since 1970. ``database``: its name.
    """

    at: float
    database: str
    is_statement: bool
    text: str


def inventory_of(cases: Iterable[str], log: Path | None) -> Inventory:
    """Make the inventory of a run. ``log``: the server's log; None if the tests used another server."""
    statements: set[str] = set()
    constraints: set[str] = set()
    for one in () if log is None else produced(log):
        (statements if one.is_statement else constraints).add(one.text)
    return Inventory(sorted(set(cases)), sorted(statements), sorted(constraints))


def produced(log: Path) -> Iterator[Produced]:
    """What a server's log contains, in its order. How the tests empty their schemas is left out."""
    for at, database, program, kind, text in _entries(log):
        if program == EMPTIER:
            continue
        if kind == "LOG" and (found := _STATEMENT.fullmatch(text)):
            yield Produced(at, database, is_statement=True, text=_without_values(found[1]))
        elif kind == "ERROR" and (found := _VIOLATION.fullmatch(text)):
            yield Produced(at, database, is_statement=False, text=found[1])


def _without_values(statement: str) -> str:
    plain = _LONG_NUMBER.sub("n", _OWN_NAME.sub('"n"', " ".join(statement.split())))
    return _PARAMETERS.sub("$n", plain)


def write(inventory: Inventory, file: Path) -> None:
    file.write_text(json.dumps(asdict(inventory), indent=1) + "\n")


def read(file: Path) -> Inventory:
    return Inventory(**json.loads(file.read_text()))


def missing(before: Inventory, after: Inventory) -> list[str]:
    """Entries of the earlier run that the later one lacks. Parametrized cases of a function may be replaced by the same
    number of subtests.
    """
    had, has = _per_function(before.cases), _per_function(after.cases)
    return [
        *(
            f"{function}: {count} cases, now {has[function]}"
            for function, count in had.items()
            if has[function] < count
        ),
        *(f"statement: {text}" for text in before.statements if text not in set(after.statements)),
        *(f"constraint: {name}" for name in before.constraints if name not in set(after.constraints)),
    ]


def _entries(log: Path) -> Iterator[tuple[float, str, str, str, str]]:
    """(time, database, program, kind, text) of each entry. A line that begins with a tab continues the entry before it."""
    entry: list[str] = []
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in itertools.chain(lines, [""]):
            if not line.startswith("\t") and entry:
                if found := _ENTRY.fullmatch("".join(entry).rstrip("\n")):
                    yield float(found[1]), found[2], found[3], found[4], found[5]
                entry = []
            entry.append(line)


def _per_function(cases: Iterable[str]) -> Counter[str]:
    return Counter(case.partition("[")[0].partition(" ")[0] for case in cases)


def main() -> int:
    before, after = (read(Path(name)) for name in sys.argv[1:])
    for title, had, has in (
        ("cases", before.cases, after.cases),
        ("statements", before.statements, after.statements),
        ("constraints that failed", before.constraints, after.constraints),
    ):
        print(f"{title}: {len(had)} before, {len(has)} after")
    lost = missing(before, after)
    print(*lost, sep="\n")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
