"""Each table is written by the package that owns it, and by the few that work over the tables of all packages."""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Final

SRC = Path(__file__).parent.parent.parent / "src"
MIGRATIONS = SRC / "openmeet" / "migrations"

_CREATE: Final = re.compile(r"create table (?:if not exists )?(\w+)")
_WRITE: Final = re.compile(
    r"\b(?:insert\s+into|delete\s+from|update)\s+(\w+)\b(?!\s+set\s+(\w+)\s*=\s*\2\b(?!\s*[+,|]))", re.IGNORECASE
)
_IN_PAGES: Final = frozenset({"delete_some", "update_some"})

# Packages whose subject is all tables.
OVER_ALL_TABLES: Final = frozenset(
    f"openmeet.domain.{name}" for name in ("account_merge", "data_export", "erasure", "legacy_import")
)
# What other packages write, and why it is not the owner’s function.
EXCEPTIONS: Final = {
    ("events", "openmeet.domain.series"): "the dates of a series are rows of events",
    ("chat_rooms", "openmeet.matrix"): "the columns matrix_… of a mirrored room",
    ("matrix_people", "openmeet.matrix"): "the state of the mirror, which no other package reads",
    ("matrix_sends", "openmeet.matrix"): "the state of the mirror, which no other package reads",
}


@cache
def tables() -> frozenset[str]:
    files = [*MIGRATIONS.rglob("*.sql"), *MIGRATIONS.rglob("*.py")]
    return frozenset(name for file in files for name in _CREATE.findall(file.read_text(encoding="utf-8")))


def tables_written_in(text: str) -> set[str]:
    """The tables that the SQL in the strings of a module writes. Setting a column to itself only locks a row."""
    tree = ast.parse(text)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {match[1] for match in _WRITE.finditer(node.value)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _IN_PAGES:
            table = node.args[1]
            found |= {table.value} if isinstance(table, ast.Constant) and isinstance(table.value, str) else set()
    return found & tables()


@cache
def writers() -> dict[str, frozenset[str]]:
    """The packages that write each table, without those that work over all tables."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted([*(SRC / "openmeet").rglob("*.py"), *(SRC / "groundwork").rglob("*.py")]):
        if MIGRATIONS in file.parents:
            continue
        package = ".".join(file.parent.relative_to(SRC).parts)
        if package not in OVER_ALL_TABLES:
            for table in tables_written_in(file.read_text(encoding="utf-8")):
                found[table].add(package)
    return {table: frozenset(packages) for table, packages in found.items()}


def test_one_package_writes_each_table() -> None:
    owners = {
        table: sorted(one for one in packages if (table, one) not in EXCEPTIONS)
        for table, packages in writers().items()
    }
    assert {table: packages for table, packages in owners.items() if len(packages) != 1} == {}


def test_every_exception_is_needed() -> None:
    assert [(table, one) for table, one in EXCEPTIONS if one not in writers()[table]] == []


def test_writes_are_found() -> None:
    """A statement that writes a table is found in every form; one that locks rows is not a write."""
    text = """
a = "update users set portrait_key = null where id = :id"
b = f"insert into identities ({a}) values (1)"
c = "delete from sessions where id = 1"
d = delete_some(tx, "notifications", "1 = 1")
e = "update groups set id = id where id = :id"
f = "update events set revision = revision + 1"
g = "update nothing_of_ours set x = 1"
"""
    assert tables_written_in(text) == {"users", "identities", "sessions", "notifications", "events"}
