"""Query plans of both engines for lookups of URIs, also in databases that collate by language."""

from groundwork.database.transaction import Transaction

URI_COLUMNS = {
    "merge_decisions": "uri",
    "events": "record_uri",
    "attendances": "record_uri",
    "event_series": "record_uri",
    "groups": "external_id",
    "group_members": "external_id",
    "group_statements": "uri",
}


async def collate_by_language(tx: Transaction) -> None:
    if tx.engine == "postgresql":
        for table, column in URI_COLUMNS.items():
            await tx.execute(f'alter table {table} alter column {column} type text collate "en-x-icu"')


async def query_plan(tx: Transaction, sql: str, **values: object) -> str:
    """The database's query plan for tables so large that a scan would cost more."""
    if tx.engine == "postgresql":
        await tx.execute("set local enable_seqscan = off")
        # Remove the statistics: after autovacuum has seen the empty tables, all their indexes cost the same.
        tables = (
            "select oid from pg_class where relnamespace = cast(current_schema() as regnamespace) and relkind = 'r'"
        )
        # Autovacuum must not write new ones before the query is planned. It takes the same lock.
        names = await tx.fetch(f"select relname from pg_class where oid in ({tables}) order by relname")
        await tx.execute(f"lock table {', '.join(row['relname'] for row in names)} in share update exclusive mode")
        await tx.execute(f"delete from pg_statistic where starelid in ({tables})")
        await tx.execute(f"update pg_class set reltuples = -1 where oid in ({tables})")
    how = "explain" if tx.engine == "postgresql" else "explain query plan"
    return "\n".join(str(tuple(row)[-1]) for row in await tx.fetch(f"{how} {sql}", **values))
