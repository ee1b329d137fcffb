"""The table of all columns compared with the schema of both engines."""

import sqlite3
from pathlib import Path

import pytest

from checks import privacy
from groundwork.database.migrate import migrate
from groundwork.database.transaction import Database, Engine
from openmeet.domain.personal_data.model import ColumnContent, OnErasure, PersonExport
from openmeet.domain.personal_data.tables import ALL_TABLES, TABLES, unique_with
from openmeet.domain.users.model import UserId
from tests.databases import MakeDatabase

# SQLite's full-text index has its own tables. PostgreSQL has an index on events instead.
SQLITE_ONLY = {"search_index", "search_numbers", "search_chat_index", "search_chat_numbers"}


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


@pytest.fixture
async def schema(sqlite_templates: Path) -> sqlite3.Connection:
    template = sqlite_templates / "openmeet.db"
    await migrate(f"sqlite://{template}", "", "openmeet")
    return sqlite3.connect(template)


async def test_every_column_of_the_schema_is_in_the_table(db: Database, engine: Engine) -> None:
    """No table or column is missing, listed twice or obsolete."""
    asked = (
        "select m.name as table_name, p.name as column_name from sqlite_master m join pragma_table_info(m.name) p"
        " where m.type = 'table' and m.name not like 'search\\_%index\\_%' escape '\\'"
        if engine == "sqlite"
        else "select table_name, column_name from information_schema.columns where table_schema = current_schema()"
    )
    async with db.reader() as reader:
        found = sorted((row["table_name"], row["column_name"]) for row in await reader.fetch(asked))
    listed = sorted(
        (table.name, column)
        for table in ALL_TABLES
        if engine == "sqlite" or table.name not in SQLITE_ONLY
        for column in table.column_names()
    )
    assert listed == found
    assert len(TABLES) == len(ALL_TABLES)


async def test_every_condition_is_valid_sql(db: Database) -> None:
    """The conditions that select a person's rows are valid SQL on both engines. For a person who does not exist they
    select nothing.
    """
    async with db.reader() as reader:
        for table in ALL_TABLES:
            for rows in {table.rows, table.exported_rows} - {""}:
                found = await reader.fetch(f"select 1 as one from {table.name} where {rows}", id=UserId("nobody"))
                assert found == [], table.name


async def test_columns_that_refer_to_people_are_marked(schema: sqlite3.Connection) -> None:
    """Unique ones also name the other columns of their index. Merging two people relies on this."""
    for table in ALL_TABLES:
        people = table.names_of(ColumnContent.PERSON)
        refers = {row[3] for row in schema.execute(f"pragma foreign_key_list({table.name})") if row[2] == "users"}
        assert refers <= set(people), table.name
        for index in schema.execute(f"pragma index_list({table.name})").fetchall():
            names = [row[2] for row in schema.execute(f"pragma index_info({index[1]})")]
            is_unique, is_partial = index[2], index[4]
            for column in refers & set(names):
                if is_unique and not is_partial and "submission_key" not in names:
                    keys = unique_with(table.name, column)
                    others = {name for name in names if name != column}
                    assert keys is not None, (table.name, column)
                    assert set(keys) == others, (table.name, column)


def test_unexported_tables_state_a_reason() -> None:
    """Tables with personal columns are in a person's export or state a reason why not."""
    for table in ALL_TABLES:
        if table.export is PersonExport.NO and table.rows:
            has_reason = bool(table.not_exported) or not table.names_of(ColumnContent.PERSON, ColumnContent.PERSONAL)
            assert has_reason, table.name
        assert not (table.export is not PersonExport.NO and table.not_exported), table.name


def test_rows_deleted_with_an_account_have_a_known_owner() -> None:
    """Rows can be deleted with an account only if their owner is known."""
    for table in ALL_TABLES:
        assert bool(table.rows) or table.on_erasure not in {OnErasure.DELETE, OnErasure.EMPTY, OnErasure.PASS_ON}


def test_the_page_is_current() -> None:
    assert privacy.problems() == []


def test_every_table_is_in_the_page() -> None:
    """The page also has the tables of packages that were added later."""
    made = privacy.made()
    assert [table.name for table in ALL_TABLES if f"\n### {table.name}\n" not in made] == []
