"""Finds reasons in a database that are stored as sentences instead of codes with parameters."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from groundwork.database.transaction import Database
from groundwork.errors import Explanation, decode_explanation

Column = tuple[str, str]

# Names of columns that may contain why something failed.
_ABOUT_FAILURE: Final = re.compile(r"(^|_)(reason|why|problem|error|failure)$")
# Tables of the search.
_INDEXES: Final = frozenset({"search_index", "search_chat_index"})

# Parameters that quote what is not ours: words of another server or a driver, a part of somebody's data, a text from an
# earlier version. The sentence around them is translated. Every other parameter is a name or a value, without spaces.
QUOTED: Final = frozenset({"words", "detail", "value", "record", "text"})


async def tables_of(db: Database) -> dict[str, list[str]]:
    """The columns of every table of a SQLite database."""
    async with db.reader() as reader:
        names = [row["name"] for row in await reader.fetch("select name from sqlite_master where type = 'table'")]
        return {name: [row["name"] for row in await reader.fetch(f"pragma table_info({name})")] for name in names}


async def columns_about_failures(db: Database) -> set[Column]:
    """The columns whose name says that they contain why something failed."""
    tables = await tables_of(db)
    return {(table, name) for table, names in tables.items() for name in names if _ABOUT_FAILURE.search(name)}


async def unexplained(db: Database, columns: Iterable[Column], explain: Callable[[Explanation], str]) -> list[str]:
    """Stored reasons without a known code, and those with a sentence in a parameter that is not quoted."""
    found = []
    async with db.reader() as reader:
        for table, column in sorted(columns):
            for row in await reader.fetch(f"select {column} as said from {table} where {column} <> ''"):
                try:
                    reason = decode_explanation(row["said"])
                    assert reason is not None
                    is_known = bool(explain(reason))
                except (msgspec.DecodeError, KeyError, TypeError):
                    found.append(f"{table}.{column}: {row['said']}")
                    continue
                if not is_known or list(_sentences(reason)):
                    found.append(f"{table}.{column}: {row['said']}")
    return found


def _sentences(reason: Explanation) -> Iterator[str]:
    if " " in reason.code:
        yield reason.code
    for name, value in reason.params.items():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Explanation):
                yield from _sentences(one)
            elif isinstance(one, str) and " " in one and name not in QUOTED:
                yield one


async def texts_with(db: Database, sentences: Iterable[str]) -> list[str]:
    """Stored texts that contain one of these sentences."""
    wanted, found = list(sentences), []
    async with db.reader() as reader:
        for table in await tables_of(db):
            if table in _INDEXES:
                continue
            for row in await reader.fetch(f"select * from {table}"):
                texts = [value for value in dict(row).values() if isinstance(value, str)]
                found += [f"{table}: {text}" for text in texts if any(one in text for one in wanted)]
    return found
