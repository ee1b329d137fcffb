"""What a revision file uses: plain SQL, the same for both engines, in the transaction of its revision.

A revision is ``<package>/migrations/versions/NNNN_slug.py``::

    \"\"\"Events and their answers.\"\"\"

    from groundwork.database.revision import apply

    revision = "0002"
    down_revision = "0001"

    SQL = \"\"\"
    create table events (id text primary key, starts_at bigint not null);
    create index events_by_start on events (starts_at);
    \"\"\"


    def upgrade() -> None:
        apply(SQL)

``revision`` is the file's number. Revisions go forward only, and none catches its own failure.
"""

from alembic import op

from groundwork.database import statements


def apply(script: str) -> None:
    """Run the statements of a script in order."""
    connection = op.get_bind()
    for statement in statements.split(script):
        connection.exec_driver_sql(statement)


def engine() -> str:
    """``sqlite`` or ``postgresql``, for the rare revision where the engines differ."""
    return str(op.get_bind().dialect.name)
