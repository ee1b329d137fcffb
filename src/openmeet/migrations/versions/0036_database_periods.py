"""Periods in which a database was in use. Between two of them it was restored from a backup."""

from groundwork.database.revision import execute

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    execute(
        """
        create table database_periods (
          id text primary key,
          began_at bigint not null unique,
          alive_at bigint not null,
          constraint database_periods_in_order check (began_at <= alive_at)
        )
        """
    )
