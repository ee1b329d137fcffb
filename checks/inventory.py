"""What a run of the suite held: its tests, and what PostgreSQL was asked and refused in it.

``python -m checks.suite --inventory FILE`` writes it, ``python -m checks.inventory BEFORE AFTER`` compares two. The server of the run
logs every statement, so those of programs that tests start are in it, too.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

# What makes the server log what is read here.
SERVER_SETTINGS: Final = {"log_statement": "all", "log_error_verbosity": "verbose", "log_line_prefix": ""}

_ENTRY = re.compile(r"([A-Z][A-Z ]*):  (.*)", re.DOTALL)
_VIOLATION = re.compile(r"23\w{3}: (.* violates .*)", re.DOTALL)
_STATEMENT = re.compile(r"\d{5}: (?:statement|execute [^:]*): (.*)", re.DOTALL)
# Names of schemas and databases that tests make, and lists of as many parameters as there are rows.
_OWN_NAME = re.compile(r'"[a-z_]*\d\w*"')
_PARAMETERS = re.compile(r"\$\d+(?:, ?\$\d+)+")


@dataclass(frozen=True, slots=True)
class Inventory:
    """Sorted, each once. Cases are tests and their subtests, skipped ones as well."""

    cases: list[str]
    statements: list[str]
    constraints: list[str]


def inventory_of(cases: Iterable[str], log: Path | None) -> Inventory:
    """``log``: of the server, None where the tests used another one."""
    statements: set[str] = set()
    constraints: set[str] = set()
    for kind, text in _entries(log) if log is not None else ():
        if kind == "LOG" and (found := _STATEMENT.fullmatch(text)):
            statements.add(_PARAMETERS.sub("$n", _OWN_NAME.sub('"n"', " ".join(found[1].split()))))
        elif kind == "ERROR" and (found := _VIOLATION.fullmatch(text)):
            constraints.add(found[1])
    return Inventory(sorted(set(cases)), sorted(statements), sorted(constraints))


def write(inventory: Inventory, file: Path) -> None:
    file.write_text(json.dumps(asdict(inventory), indent=1) + "\n")


def read(file: Path) -> Inventory:
    return Inventory(**json.loads(file.read_text()))


def missing(before: Inventory, after: Inventory) -> list[str]:
    """What the later run did not hold. A function may give up parameters for as many subtests."""
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


def _entries(log: Path) -> Iterator[tuple[str, str]]:
    """(kind, text) of each entry; lines that begin with a tab continue one."""
    entry: list[str] = []
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.startswith("\t") and entry:
                if found := _ENTRY.fullmatch("".join(entry).rstrip("\n")):
                    yield found[1], found[2]
                entry = []
            entry.append(line)
    if found := _ENTRY.fullmatch("".join(entry).rstrip("\n")):
        yield found[1], found[2]


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
