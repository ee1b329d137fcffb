"""The whole database, to check that nothing has changed."""

from groundwork.database.transaction import Database, Engine


async def all_rows(db: Database, engine: Engine) -> dict[str, list[str]]:
    """Every row of every table, by table."""
    names = (
        "select name from sqlite_master where type = 'table' and name not in ('search_index', 'search_chat_index') order by name"
        if engine == "sqlite"
        else "select table_name as name from information_schema.tables where table_schema = current_schema()"
    )
    async with db.reader() as reader:
        tables = [row["name"] for row in await reader.fetch(names)]
        return {
            table: sorted(str(tuple(row.values())) for row in map(dict, await reader.fetch(f"select * from {table}")))
            for table in tables
        }
