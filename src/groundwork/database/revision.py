"""Helpers for revision files: plain SQL, the same for both engines, run in the transaction of the revision.

A revision is ``<package>/migrations/versions/NNNN_slug.py``::

    \"\"\"Events have a colour.\"\"\"

    from groundwork.database.revision import apply

    revision = "0002"
    down_revision = "0001"

    SQL = \"\"\"
    alter table events add column colour text not null default '';
    create index events_by_colour on events (colour);
    \"\"\"


    def upgrade() -> None:
        apply(SQL)

``revision`` is the file's number. Revisions go forward only and must not catch their own errors. ``0001`` is the
baseline: it creates every table from the SQL files in ``<package>/migrations/baseline/``.

If the engines differ inside a statement, ``/*sqlite … */`` and ``/*postgresql … */`` contain the words for one of them.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from alembic import op

from groundwork.database import statements

_FOR_ONE_ENGINE = re.compile(r"/\*(sqlite|postgresql)\s(.*?)\s*\*/", re.DOTALL)


def apply(script: str) -> None:
    """Run the statements of a script in order."""
    current_engine = engine()
    script = _FOR_ONE_ENGINE.sub(lambda match: match[2] if match[1] == current_engine else "", script)
    for statement in _with_whole_triggers(script) if current_engine == "sqlite" else statements.split(script):
        execute(statement)


def apply_folder(folder: Path) -> None:
    """Run every ``*.sql`` file of a folder in the order of their names. ``*.sqlite.sql`` and ``*.postgresql.sql`` are
    for one engine only.
    """
    current_engine = engine()
    for path in sorted(folder.glob("*.sql")):
        if path.suffixes in ([".sql"], [f".{current_engine}", ".sql"]):
            apply(path.read_text(encoding="utf-8"))


def execute(statement: str) -> None:
    """Run a single statement."""
    op.get_bind().exec_driver_sql(statement)


def redefine(table: str, old: str, new: str) -> None:
    """Replace ``old`` in the definition of a SQLite table by ``new``. Creates the table again, with its rows, indexes
    and triggers, because SQLite cannot change a constraint. No other table may refer to it yet.
    """
    rows = op.get_bind().exec_driver_sql(
        f"select type, sql from sqlite_master where tbl_name = '{table}' and sql is not null"
    )
    definitions = [(row.type, row.sql) for row in rows]
    (created,) = [sql for kind, sql in definitions if kind == "table"]
    if old not in created:
        raise RuntimeError(f"the definition of {table} does not contain: {old}")
    execute(f"create table {table}_new ({created.partition('(')[2].replace(old, new)}")
    execute(f"insert into {table}_new select * from {table}")
    execute(f"drop table {table}")
    execute(f"alter table {table}_new rename to {table}")
    for kind, sql in definitions:
        if kind != "table":
            execute(sql)


def encode_sentences(table: str, column: str, codes: Mapping[str, str]) -> None:
    """Replace stored sentences by reasons, in the form of ``groundwork.errors.encode_explanation``. ``codes`` maps known
    sentences to their codes. Any other sentence becomes the text of ``failure.earlier_text``.
    """
    for sentence, code in codes.items():
        quoted = sentence.replace("'", "''")
        execute(f"""update {table} set {column} = '{{"code":"{code}","params":{{}}}}' where {column} = '{quoted}'""")
    made = "json_object" if engine() == "sqlite" else "json_build_object"
    encoded = f"cast({made}('code', 'failure.earlier_text', 'params', {made}('text', {column})) as text)"
    execute(f"update {table} set {column} = {encoded} where {column} <> '' and substr({column}, 1, 8) <> '{{\"code\":'")


def engine() -> str:
    """Return ``sqlite`` or ``postgresql``, for the rare revision where the engines differ."""
    return str(op.get_bind().dialect.name)


def _with_whole_triggers(script: str) -> Iterator[str]:
    """Yield statements, keeping SQLite triggers whole. Statements inside a trigger also end with semicolons, so SQLite
    decides where it ends.
    """
    begun = ""
    for piece in statements.split(script):
        begun += f"{piece};\n"
        if sqlite3.complete_statement(begun):
            yield begun.rstrip().removesuffix(";")
            begun = ""
    if begun:
        raise ValueError(f"a statement has no end: {begun[:80]}")
