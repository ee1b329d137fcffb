"""The whole database, to check that nothing has changed, or what is left."""

from collections.abc import Mapping

from groundwork.database.transaction import Database, Engine


async def all_rows(db: Database, engine: Engine) -> dict[str, list[str]]:
    """Every row of every table, by table."""
    names = (
        "select name from sqlite_master where type = 'table' and name not in ('search_index', "
        "'search_chat_index') order by name"
        if engine == "sqlite"
        else "select table_name as name from information_schema.tables where table_schema = current_schema()"
    )
    async with db.reader() as reader:
        tables = [row["name"] for row in await reader.fetch(names)]
        return {
            table: sorted(str(tuple(row.values())) for row in map(dict, await reader.fetch(f"select * from {table}")))
            for table in tables
        }


async def rows_of_all_tables(db: Database, engine: Engine) -> dict[str, list[Mapping[str, object]]]:
    """All rows of all tables."""
    found: dict[str, list[Mapping[str, object]]] = {}
    listing = (
        "select name from sqlite_master where type = 'table' and name not in ('search_index', "
        "'search_chat_index') order by name"
        if engine == "sqlite"
        else "select table_name as name from information_schema.tables where table_schema = current_schema() order by 1"
    )
    async with db.reader() as reader:
        for table in [row["name"] for row in await reader.fetch(listing)]:
            found[table] = [dict(row) for row in await reader.fetch(f"select * from {table}")]
    return found


def columns_containing(rows: dict[str, list[Mapping[str, object]]], marks: tuple[str, ...]) -> list[tuple[str, str]]:
    """(table, column) of every value that contains one of the marks."""
    return [
        (table, column)
        for table, lines in rows.items()
        for line in lines
        for column, value in line.items()
        if any(
            (mark.encode() in bytes(value)) if isinstance(value, bytes | memoryview) else mark in str(value)
            for mark in marks
        )
    ]
