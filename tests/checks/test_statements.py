"""Every SQL statement in the sources names tables and columns that exist, on both engines, whether or not a test runs
it.

Statements are found by reading the sources: string literals, and f-strings whose parts are constants of their module.
For other f-strings only the tables are checked.
"""

import ast
import importlib
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from groundwork.database import bulk, statements
from groundwork.database.migrate import migrate
from tests.databases import drop_schemas
from tests.external_dependencies import ROOT

SRC = ROOT / "src"
# The package whose tables the statements of a folder use; the longest matching prefix is used.
SCHEMAS = {
    "aurora_locus": "aurora_locus",
    "groundwork/outbox": "openmeet",
    "groundwork/queue": "groundwork.queue",
    "openmeet": "openmeet",
    "openmeet/network/firehose": "openmeet.network.firehose",
    "plc_directory": "plc_directory",
    "programs": "openmeet",
}
# Modules that read databases of other programs, or a temporary one of their own.
ELSEWHERE = {
    "aurora_locus/reference_import",
    "aurora_locus/repository/import_check.py",
    "openmeet/domain/legacy_import/read.py",
    "openmeet/domain/places/",
}
_STATEMENT = re.compile(r"\s*(select|insert into|update|delete from|with \w+ (\([^)]*\) )?as)\s", re.ASCII)
_TABLE = re.compile(
    r"(?<!distinct )\b(?:from|join|insert into|^\s*update|delete from)\s+([a-z_]{3,})\b(?!{|\s*\()", re.ASCII
)
_NAMED = re.compile(r"\b([a-z_]+)\s*(?:\([a-z_, ]*\)\s*)?as\s+(?:not\s+)?(?:materialized\s+)?\(", re.ASCII)
_UNKNOWN = re.compile(r"no such (table|column)|(relation|column) .* does not exist|has no column")
# Tables that exist on one engine only.
ONE_ENGINE = re.compile(
    r"\b(search_index|search_numbers|search_chat_index|search_chat_numbers|sqlite_master|information_schema|pg_\w+)\b"
)


# Common table expressions that are defined in another part of their statement: the series of a chat and the series
# split off from it.
SHARED_BY_PARTS = {"chain"}


@dataclass(frozen=True)
class Found:
    """A statement, or a string that contains one. ``is_whole``: no part of it is missing."""

    where: str
    schema: str
    text: str
    is_whole: bool


def schema_of(name: str) -> str | None:
    fitting = [folder for folder in SCHEMAS if name.startswith(f"{folder}/")]
    return SCHEMAS[max(fitting, key=len)] if fitting and not any(name.startswith(one) for one in ELSEWHERE) else None


def found_in(path: Path) -> Iterator[Found]:
    name = str(path.relative_to(SRC))
    schema = schema_of(name)
    text = path.read_text(encoding="utf-8")
    if schema is None or "/migrations/" in name or not re.search(r"\b(select|insert into|update|delete from)\b", text):
        return
    tree = ast.parse(text)
    inside = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if node in inside or not isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                yield Found(f"{name}:{node.lineno}", schema, node.value, is_whole=True)
            continue
        module = importlib.import_module(name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
        try:
            whole = eval(compile(ast.Expression(node), name, "eval"), dict(vars(module)))
        except (NameError, AttributeError, TypeError, SyntaxError):  # SyntaxError: an "await" inside
            pieces = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield Found(f"{name}:{node.lineno}", schema, "".join(map(str, pieces)), is_whole=False)
        else:
            yield Found(f"{name}:{node.lineno}", schema, whole, is_whole=True)


@pytest.fixture(scope="module")
def found() -> list[Found]:
    return [
        one
        for path in sorted(SRC.rglob("*.py"))
        for one in found_in(path)
        if _STATEMENT.match(one.text) and not ONE_ENGINE.search(one.text)
    ]


@pytest.fixture(params=sorted(set(SCHEMAS.values())))
def schema(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_statements_on_sqlite_are_recorded(found: list[Found], schema: str, tmp_path: Path):
    await migrate(f"sqlite://{tmp_path / 'all.db'}", "", schema)
    connection = sqlite3.connect(tmp_path / "all.db")
    wrong = []
    for one in found:
        if one.schema != schema or not one.is_whole:
            continue
        statement = statements.for_sqlite(bulk.for_one(one.text) if " each(" in one.text else one.text)
        text, _ = statements.spread(statement, dict.fromkeys(statement.lists, ()) | {})
        try:
            connection.execute(f"explain {text}", dict.fromkeys(statement.names))
        except sqlite3.Error as failure:
            if _UNKNOWN.search(str(failure)):
                wrong.append(f"{one.where}: {failure}")
    connection.close()
    assert wrong == []


async def test_statements_on_postgresql_are_recorded(found: list[Found], schema: str, postgres_url: str):
    name = f"statements_{schema.replace('.', '_')}"
    await migrate(postgres_url, name, schema)
    connection = await asyncpg.connect(postgres_url, server_settings={"search_path": name})
    wrong = []
    try:
        for one in found:
            if one.schema != schema or not one.is_whole:
                continue
            text = bulk.for_many(one.text)[0] if " each(" in one.text else one.text
            try:
                await connection.prepare(statements.for_postgres(text).text)
            except asyncpg.PostgresError as failure:
                if _UNKNOWN.search(str(failure)):
                    wrong.append(f"{one.where}: {failure}")
    finally:
        await connection.close()
        await drop_schemas(postgres_url, [name])
    assert wrong == []


async def test_tables_of_a_partial_statement_are_checked(found: list[Found], schema: str, tmp_path: Path):
    await migrate(f"sqlite://{tmp_path / 'all.db'}", "", schema)
    connection = sqlite3.connect(tmp_path / "all.db")
    known = {row[0] for row in connection.execute("select name from sqlite_master")} | SHARED_BY_PARTS
    connection.close()
    wrong = [
        f"{one.where}: {table}"
        for one in found
        if one.schema == schema
        for table in _TABLE.findall(one.text)
        if table not in known | set(_NAMED.findall(one.text))
    ]
    assert wrong == []


def test_many_statements_are_found(found: list[Found]):
    assert len(found) > 500
    assert sum(one.is_whole for one in found) > 400
