"""Executed by Alembic for each command. Runs the revisions on the connection that ``alembic_run`` has opened."""

from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection


def refuse_broken_references(
    ctx: MigrationContext,
    step: object,  # noqa: ARG001 - Alembic passes all four by name
    heads: object,  # noqa: ARG001
    run_args: object,  # noqa: ARG001
) -> None:
    """Raise ValueError if a revision leaves broken foreign keys. On SQLite, foreign keys are off while it runs."""
    connection = ctx.connection
    if connection is None or connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("pragma foreign_key_check").fetchall()
    if broken:
        raise ValueError(f"the revision leaves {len(broken)} rows with a broken foreign key, in {broken[0][0]}")


def run(connection: Connection, version_table: str) -> None:
    """Run the revisions of the current command."""
    context.configure(
        connection=connection,
        version_table=version_table,
        transaction_per_migration=connection.dialect.name != "sqlite",
        # Alembic assumes that SQLite cannot do this. It can if the driver does not issue its own BEGIN.
        transactional_ddl=True,
        on_version_apply=refuse_broken_references,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"], context.config.attributes["version_table"])
